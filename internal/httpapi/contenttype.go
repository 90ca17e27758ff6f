package httpapi

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
)

// The content types of calls. Forms and plain text, which a browser's page may send anywhere
// without asking, are never among them.
var (
	unaryTypes  = append([]string{"application/json", "application/proto"}, grpcTypes...)
	streamTypes = append([]string{"application/connect+json", "application/connect+proto"}, grpcTypes...)
	grpcTypes   = []string{
		"application/grpc", "application/grpc+proto", "application/grpc+json",
		"application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json",
	}
)

// kindOf returns the content type of a request, in the form in which it is compared; empty: it is none
// of its method.
func kindOf(r *http.Request) string {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	if charset, ok := params["charset"]; len(params) > 1 || len(params) == 1 && !(ok && strings.EqualFold(charset, "utf-8")) {
		return ""
	}
	if !slices.Contains(typesOf(r), kind) {
		return ""
	}
	return kind
}

func typesOf(r *http.Request) []string {
	if r.URL.Path == pathStreamBatches {
		return streamTypes
	}
	return unaryTypes
}

// accepted says which content types there are.
func accepted(r *http.Request) string {
	types := typesOf(r)
	return "send " + types[0] + " (or " + strings.Join(types[1:], ", ") + ")"
}

// framed reports whether messages of a content type stand behind prefixes.
func framed(kind string) bool {
	return strings.HasPrefix(kind, "application/grpc") || strings.HasPrefix(kind, "application/connect+")
}

// jsonOf reports whether messages of a content type are JSON.
func jsonOf(kind string) bool { return strings.Contains(kind, "json") }

// longest is how much of a caller's text is repeated to it.
const longest = 100

// quoted returns a caller's text for an error.
func quoted(text string) string { return strconv.QuoteToASCII(text[:min(len(text), longest)]) }

// clean is quoted without quotes.
func clean(text string) string { return strings.Trim(quoted(text), `"`) }

// errorBody writes an error without details as the Connect protocol does.
func errorBody(err *connect.Error) []byte {
	b, _ := json.Marshal(map[string]string{"code": err.Code().String(), "message": err.Message()})
	return append(b, '\n')
}
