package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
)

// example is what hints show.
const example = `-H 'Content-Type: application/json' -d '{"batch": {"commands": [{"text_args": ["PING"]}]}}'`

// guarded makes calls of requests: it refuses, with a hint, what is no call of the contract's methods, and has
// the others read and answered within the limits.
func (a *api) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A deadline of the call before on this connection would hold for what net/http writes by itself.
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Time{})
		if status, hint := misuse(r); status != 0 {
			refuse(w, status, hint)
			return
		}
		kind := r.Header.Get("Content-Type")
		c := &call{
			method: r.URL.Path,
			body: &body{ReadCloser: r.Body, control: control, limits: a.limits, requests: a.requests,
				framed: framed(kind)},
			writer: &writer{ResponseWriter: w, control: control, stall: a.limits.Stall},
		}
		if err := c.body.begin(r.ContentLength); err != nil {
			// The rest of the body is nobody's to read.
			w.Header().Set("Connection", "close")
			_ = a.errors.Write(c.writer, r, err)
			return
		}
		defer c.body.release()
		defer c.release()
		r = r.WithContext(c.context(r))
		r.Body = c.body
		next.ServeHTTP(c.writer, r)
	})
}

// misuse returns why a request is no call, if it is none; status is zero otherwise.
func misuse(r *http.Request) (status int, hint string) {
	switch {
	case r.URL.Path != pathExecuteBatch && r.URL.Path != pathStreamBatches:
		return http.StatusNotFound, "there is nothing at this path: batches are sent by POST to " + pathExecuteBatch
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "the method " + clean(r.Method) + " is not allowed: send a batch by POST, such as curl " + example + " URL"
	case r.URL.Path == pathStreamBatches && r.ProtoMajor < 2:
		return http.StatusHTTPVersionNotSupported, "streams need HTTP/2: send the batch by POST to " + pathExecuteBatch + ", or use a client that speaks HTTP/2"
	case !known(r):
		return http.StatusUnsupportedMediaType, "the content type " + quoted(r.Header.Get("Content-Type")) +
			" is not one of this method: " + accepted(r) + "; with curl: " + example
	case r.URL.Path == pathExecuteBatch && r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity":
		return http.StatusUnsupportedMediaType, "the body is compressed (Content-Encoding), which this server does not take: send it as it is"
	}
	return 0, ""
}

// refuse answers a request that is no call as the Connect protocol writes errors.
func refuse(w http.ResponseWriter, status int, hint string) {
	code := connect.CodeUnimplemented
	if status == http.StatusForbidden {
		code = connect.CodePermissionDenied
	}
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusUnsupportedMediaType:
		w.Header().Set("Accept-Post", strings.Join(unaryTypes, ", "))
		code = connect.CodeInvalidArgument
	}
	// What remains of the body is not read.
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorBody(connect.NewError(code, errors.New(hint))))
}
