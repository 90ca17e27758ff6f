package server

import (
	"net/http"
	"strings"
	"testing"
)

const pingJSON = `{"batch": {"commands": [{"text_args": ["PING"]}]}}`

// TestHTTPOrigin: pages of the origins that are allowed may call, and no others; callers that are
// no browsers always may.
func TestHTTPOrigin(t *testing.T) {
	closed, some, all := startHTTP(t), startHTTP(t, "--http-allow-origin=https://app.example"), startHTTP(t, "--http-allow-origin=*")
	for _, test := range []struct {
		name   string
		r      *running
		origin string
		status int
		allow  string
	}{
		{"none allowed, none sent", closed, "", 200, ""},
		{"none allowed", closed, "https://app.example", 403, ""},
		{"none allowed, a file", closed, "null", 403, ""},
		{"allowed, none sent", some, "", 200, ""},
		{"allowed", some, "https://app.example", 200, "https://app.example"},
		{"another", some, "https://evil.example", 403, ""},
		{"another port", some, "https://app.example:444", 403, ""},
		{"all", all, "https://any.example", 200, "*"},
	} {
		var headers []string
		if test.origin != "" {
			headers = []string{"Origin", test.origin}
		}
		status, body, header := post(t, test.r, pingJSON, headers...)
		if status != test.status || header.Get("Access-Control-Allow-Origin") != test.allow {
			t.Errorf("%s: %d %q %s", test.name, status, header.Get("Access-Control-Allow-Origin"), body)
		}
		if status == 403 && !strings.Contains(body, "http-allow-origin") {
			t.Errorf("%s: %s", test.name, body)
		}
	}
}

// TestHTTPPreflight: browsers are told what they may send, before they do.
func TestHTTPPreflight(t *testing.T) {
	r := startHTTP(t, "--http-allow-origin=https://app.example")
	preflight := func(origin, headers string) (int, http.Header) {
		status, _, header := send(t, r, http.MethodOptions, executePath, "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", headers)
		return status, header
	}
	for _, headers := range []string{"content-type", "authorization,connect-protocol-version,connect-timeout-ms,content-type,x-request-id",
		"content-type,grpc-timeout,x-grpc-web,x-user-agent"} {
		status, header := preflight("https://app.example", headers)
		if status != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
			header.Get("Access-Control-Allow-Headers") != headers || header.Get("Access-Control-Allow-Methods") != "POST" {
			t.Errorf("%s: %d %v", headers, status, header)
		}
	}
	if _, header := preflight("https://evil.example", "content-type"); header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %v", header)
	}
	_, _, header := post(t, r, pingJSON, "Origin", "https://app.example")
	if exposed := header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Grpc-Status") || !strings.Contains(exposed, "Grpc-Message") {
		t.Errorf("exposed: %q", exposed)
	}
}
