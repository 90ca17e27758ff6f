package server

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
)

// TestHTTPCallers: over HTTP callers are secured, known and held to what they may do as they are
// over gRPC, with HTTP/1.1 and HTTP/2.
func TestHTTPCallers(t *testing.T) {
	authority := certstest.NewAuthority(t)
	files := authority.Write(t, t.TempDir(), certstest.Names{})
	path, token := authFile(t, `identities:
  - {name: orders, certificates: ["uri:spiffe://x.org/orders"], deny-command: [echo]}
  - {name: token, tokens: [TOKEN], deny-command: [ping]}
`)
	socket := filepath.Join(t.TempDir(), "h")
	r := start(t, settings(t, "--http-listen=127.0.0.1:0,unix://"+socket, "--auth-file="+path, "--auth-open=none",
		"--tls-cert="+files.Cert, "--tls-key="+files.Key, "--tls-client-ca="+files.CA, "--tls-client-auth=optional"))
	for _, test := range []struct {
		name, token, command string
		names                *certstest.Names
		status               int
		reason               string
	}{
		{"by certificate", "", "PING", &certstest.Names{URI: "spiffe://x.org/orders"}, 200, ""},
		{"by certificate, denied", "", "ECHO", &certstest.Names{URI: "spiffe://x.org/orders"}, 403, "IDENTITY_DENIED"},
		{"by token", token, "TIME", nil, 200, ""},
		{"by token, denied", token, "PING", nil, 403, "IDENTITY_DENIED"},
		{"unknown certificate", "", "PING", &certstest.Names{URI: "spiffe://x.org/others"}, 401, "UNAUTHENTICATED"},
		{"wrong token", token + "x", "TIME", nil, 401, "UNAUTHENTICATED"},
		{"nobody", "", "PING", nil, 401, "UNAUTHENTICATED"},
	} {
		for _, http2 := range []bool{false, true} {
			transport := &http.Transport{TLSClientConfig: authority.Client(t, test.names), ForceAttemptHTTP2: http2}
			body := `{"batch": {"commands": [{"text_args": ["` + test.command + `"]}]}}`
			req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, "https://"+r.HTTPAddrs()[0].String()+executePath, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if test.token != "" {
				req.Header.Set("Authorization", "Bearer "+test.token)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			protocol := resp.Proto
			var failed httpError
			if err := json.NewDecoder(resp.Body).Decode(&failed); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			resp.Body.Close()
			transport.CloseIdleConnections()
			if resp.StatusCode != test.status || failed.reason() != test.reason {
				t.Errorf("%s: %d %+v, want %d %s", test.name, resp.StatusCode, failed, test.status, test.reason)
			}
			if (protocol == "HTTP/2.0") != http2 {
				t.Errorf("%s: spoke %s", test.name, protocol)
			}
		}
	}
	if resp, err := httpClient(t).Post(r.url(executePath), "application/json", strings.NewReader("{}")); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", resp.Status)
		}
	}
	if r.HTTPAddrs()[1].Network() != "unix" {
		t.Errorf("the second listener is %v", r.HTTPAddrs()[1])
	}
}
