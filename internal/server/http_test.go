package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const executePath = "/valkeybatch.v1.BatchService/ExecuteBatch"

// httpClient returns a client whose connections end with the test.
func httpClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// url is the address of a path on the first HTTP listener.
func (r *running) url(path string) string { return "http://" + r.HTTPAddrs()[0].String() + path }

// startHTTP starts a server that serves HTTP too.
func startHTTP(t *testing.T, args ...string) *running {
	t.Helper()
	return start(t, settings(t, append([]string{"--http-listen=127.0.0.1:0"}, args...)...))
}

// httpError is an error as the Connect protocol writes it.
type httpError struct {
	Code    string
	Message string
	Details []struct {
		Type  string
		Debug struct {
			Reason          string
			Domain          string
			Metadata        map[string]string
			RetryDelay      string
			FieldViolations []struct{ Field string }
		}
	}
}

// reason is that of the ErrorInfo.
func (e *httpError) reason() string {
	for _, d := range e.Details {
		if d.Type == "google.rpc.ErrorInfo" && d.Debug.Domain == "valkeybatch" {
			return d.Debug.Reason
		}
	}
	return ""
}

// field is that of the BadRequest.
func (e *httpError) field() string {
	for _, d := range e.Details {
		if d.Type == "google.rpc.BadRequest" {
			return d.Debug.FieldViolations[0].Field
		}
	}
	return ""
}

// post sends JSON and returns the status and the body.
func post(t *testing.T, r *running, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	return send(t, r, http.MethodPost, executePath, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

func send(t *testing.T, r *running, method, path, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), method, r.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := httpClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// TestHTTPJSON: what comes back for JSON, to the letter.
func TestHTTPJSON(t *testing.T) {
	r := startHTTP(t)
	for _, test := range []struct{ name, request, want string }{
		{"text", `{"batch": {"commands": [{"text_args": ["SET", "k", "é\n"]}, {"textArgs": ["GET", "k"]}]}}`,
			`{"results":[{"stringValue":"OK"},{"stringValue":"é\n"}]}`},
		{"integer", `{"batch": {"commands": [{"text_args": ["INCRBY", "n", "9007199254740993"]}]}}`,
			`{"results":[{"integerValue":"9007199254740993"}]}`},
		{"null and list", `{"batch": {"commands": [{"text_args": ["GET", "none"]}, {"text_args": ["MGET", "k", "none"]}]}}`,
			`{"results":[{"nullValue":true},{"arrayValue":{"elements":[{"stringValue":"é\n"},{"nullValue":true}]}}]}`},
		{"empty list", `{"batch": {"commands": [{"text_args": ["LRANGE", "none", "0", "-1"]}]}}`, `{"results":[{"arrayValue":{}}]}`},
		{"binary", `{"batch": {"commands": [{"args": ["U0VU", "Ymlu", "AP8="]}, {"args": ["R0VU", "Ymlu"]}, {"text_args": ["GET", "bin"]}]}}`,
			`{"results":[{"stringValue":"OK"},{"bytesValue":"AP8="},{"bytesValue":"AP8="}]}`},
		{"error in place", `{"batch": {"is_atomic": true, "commands": [{"text_args": ["LPOP", "k"]}, {"text_args": ["PING"]}]}}`,
			`{"results":[{"errorValue":{"code":"WRONGTYPE","message":"WRONGTYPE Operation against a key holding the wrong kind of value",` +
				`"outcome":"OUTCOME_FAILED","node":"embedded:6379"}},{"stringValue":"PONG"}],"failedCount":1}`},
		{"options", `{"batch": {"commands": [{"text_args": ["PING"]}]}, "standalone_options": {"timeout": "1.5s", "retry_strategy": {"retry_server_error": true}}}`,
			`{"results":[{"stringValue":"PONG"}]}`},
	} {
		status, body, header := post(t, r, test.request)
		if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s %s", test.name, status, header.Get("Content-Type"), body)
		}
		if diff := cmp.Diff(test.want+"\n", body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestHTTPErrors: what is wrong is said, with the field, and the status is that of the code.
func TestHTTPErrors(t *testing.T) {
	r := startHTTP(t, "--max-commands=3", "--max-request-bytes=4KiB")
	const secret = "hunter2"
	for _, test := range []struct {
		name, body   string
		status       int
		code, reason string
		field, says  string
	}{
		{"empty body", "", 400, "invalid_argument", "MALFORMED_REQUEST", "", "the body is empty"},
		{"blank body", " \n", 400, "invalid_argument", "MALFORMED_REQUEST", "", "the body is empty"},
		{"no JSON", secret, 400, "invalid_argument", "MALFORMED_REQUEST", "", "line 1, column 1"},
		{"cut off", `{"batch": {`, 400, "invalid_argument", "MALFORMED_REQUEST", "", "ends early"},
		{"more behind", `{} "` + secret + `"`, 400, "invalid_argument", "MALFORMED_REQUEST", "", "line 1, column 4"},
		{"a list", `["` + secret + `"]`, 400, "invalid_argument", "MALFORMED_REQUEST", "", "unexpected token at line 1, column 1"},
		{"bad escape", `{"batch": "\q` + secret + `"}`, 400, "invalid_argument", "MALFORMED_REQUEST", "", "line 1"},
		{"unknown field", "{\"batch\": {\n \"comands\": []}}", 400, "invalid_argument", "MALFORMED_REQUEST", "comands", "line 2, column 2"},
		{"field twice", `{"batch": {}, "batch": {}}`, 400, "invalid_argument", "MALFORMED_REQUEST", "batch", "twice"},
		{"number for text", `{"batch": {"commands": [{"text_args": ["SET", "k", 17]}]}}`, 400, "invalid_argument", "MALFORMED_REQUEST", "textArgs", "in quotes"},
		{"no base64", `{"batch": {"commands": [{"args": ["` + secret + `!"]}]}}`, 400, "invalid_argument", "MALFORMED_REQUEST", "args", "base64"},
		{"both options", `{"standalone_options": {}, "cluster_options": {}}`, 400, "invalid_argument", "MALFORMED_REQUEST", "cluster_options", "options"},
		{"wrong duration", `{"standalone_options": {"timeout": "soon"}}`, 400, "invalid_argument", "MALFORMED_REQUEST", "", "line 1, column 36"},
		{"empty object", `{}`, 400, "invalid_argument", "EMPTY_PIPELINE", "batch.commands", "at least one command"},
		{"both forms", `{"batch": {"commands": [{"args": ["AA=="], "text_args": ["x"]}]}}`, 400, "invalid_argument", "ARGUMENT_FORMS", "batch.commands[0]", ""},
		{"refused command", `{"batch": {"commands": [{"text_args": ["PING"]}, {"text_args": ["MULTI"]}]}}`, 400, "invalid_argument", "COMMAND_REFUSED", "batch.commands[1].text_args", "multi"},
		{"wrong deployment", `{"batch": {"commands": [{"text_args": ["PING"]}]}, "cluster_options": {}}`, 400, "failed_precondition", "WRONG_DEPLOYMENT", "", ""},
		{"raised", `{"raise_on_error": true, "batch": {"commands": [{"text_args": ["SET", "s", "x"]}, {"text_args": ["LPOP", "s"]}]}}`, 400, "failed_precondition", "COMMAND_FAILED", "", "command 1 (lpop)"},
		{"too many commands", `{"batch": {"commands": [` + strings.Repeat(`{"text_args": ["PING"]},`, 3) + `{"text_args": ["PING"]}]}}`, 429, "resource_exhausted", "LIMIT_EXCEEDED", "", "4 commands are over the limit of 3"},
		{"far too many", `{"batch": {"commands": [` + strings.Repeat(`{},`, 99) + `{}]}}`, 429, "resource_exhausted", "LIMIT_EXCEEDED", "", "102 objects are over the limit of 35"},
		{"too long", `{"batch": {"commands": [{"text_args": ["ECHO", "` + strings.Repeat("x", 5000) + `"]}]}}`, 429, "resource_exhausted", "LIMIT_EXCEEDED", "", "over the limit of 4096"},
		{"far too long", strings.Repeat(" ", 2<<20), 429, "resource_exhausted", "LIMIT_EXCEEDED", "", "2097152 bytes are over the limit of 1052672"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body, header := post(t, r, test.body)
			var got httpError
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if status != test.status || got.Code != test.code || got.reason() != test.reason || got.field() != test.field {
				t.Errorf("got %d, %+v", status, got)
			}
			if !strings.Contains(got.Message, test.says) || strings.Contains(body, secret) {
				t.Errorf("the message is %q", got.Message)
			}
			if header.Get("Content-Type") != "application/json" {
				t.Errorf("the content type is %q", header.Get("Content-Type"))
			}
		})
	}
	if strings.Contains(r.log.String(), secret) {
		t.Error("the log has a value")
	}
}

// TestHTTPMisuse: requests that are no calls are told what is one.
func TestHTTPMisuse(t *testing.T) {
	r := startHTTP(t)
	const streams = "/valkeybatch.v1.BatchService/StreamBatches"
	for _, test := range []struct {
		name, method, path, kind string
		status                   int
		says                     string
	}{
		{"GET", "GET", executePath, "", 405, "POST"},
		{"PUT", "PUT", executePath, "application/json", 405, "PUT is not allowed"},
		{"preflight without origins", "OPTIONS", executePath, "", 405, "POST"},
		{"curl's default", "POST", executePath, "application/x-www-form-urlencoded", 415, "Content-Type: application/json"},
		{"plain text", "POST", executePath, "text/plain", 415, `\"text/plain\"`},
		{"no type", "POST", executePath, "", 415, "application/json"},
		{"another charset", "POST", executePath, "application/json; charset=latin1", 415, "latin1"},
		{"stream's type", "POST", executePath, "application/connect+json", 415, "application/json"},
		{"another path", "POST", "/valkeybatch.v1.BatchService/Execute", "application/json", 404, executePath},
		{"root", "GET", "/", "", 404, executePath},
		{"stream over HTTP/1.1", "POST", streams, "application/connect+json", 505, "HTTP/2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var headers []string
			if test.kind != "" {
				headers = []string{"Content-Type", test.kind}
			}
			status, body, header := send(t, r, test.method, test.path, "{}", headers...)
			if status != test.status || !strings.Contains(body, test.says) || !json.Valid([]byte(body)) {
				t.Errorf("%d %s", status, body)
			}
			if status == 405 && header.Get("Allow") != "POST" {
				t.Errorf("Allow: %q", header.Get("Allow"))
			}
		})
	}
	if status, body, _ := post(t, r, "{}", "Content-Encoding", "gzip"); status != 415 || !strings.Contains(body, "Content-Encoding") {
		t.Errorf("compressed: %d %s", status, body)
	}
	if status, body, _ := post(t, r, `{"batch": {"commands": [{"text_args": ["PING"]}]}}`, "Content-Type", "application/json; charset=UTF-8"); status != 200 {
		t.Errorf("with a charset: %d %s", status, body)
	}
}

// TestHTTPDeadline: the caller's deadline and its going away end a batch, and free what it held.
func TestHTTPDeadline(t *testing.T) {
	r := startHTTP(t)
	const blocked = `{"batch": {"commands": [{"text_args": ["BLPOP", "jobs", "0"]}]}, "standalone_options": {"timeout": "60s"}}`
	status, body, _ := post(t, r, blocked, "Connect-Timeout-Ms", "50")
	var got httpError
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusGatewayTimeout || got.Code != "deadline_exceeded" || got.reason() != "DEADLINE_EXCEEDED" {
		t.Errorf("%d %s", status, body)
	}
	if status, body, _ := post(t, r, blocked, "Connect-Timeout-Ms", "soon"); status != http.StatusBadRequest {
		t.Errorf("a timeout that is no number: %d %s", status, body)
	}

	ctx, cancel := context.WithCancel(testContext(t))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url(executePath), strings.NewReader(blocked))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := httpClient(t).Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	inFlight := func(n int64) func() bool {
		return func() bool { batches, _ := r.backend.service.InFlight(); return batches == n }
	}
	eventually(t, "the batch in flight", inFlight(1))
	cancel()
	<-done
	eventually(t, "the batch given up", inFlight(0))
}

// TestHTTPLog: a call over HTTP leaves the line that a gRPC call leaves, with the caller's name for it.
func TestHTTPLog(t *testing.T) {
	r := startHTTP(t)
	post(t, r, `{"batch": {"commands": [{"text_args": ["SET", "k", "hunter2"]}]}}`, "X-Request-Id", "mine-7")
	post(t, r, `nonsense`, "X-Request-Id", "mine-8")
	eventually(t, "a line for each", func() bool {
		text := r.log.String()
		return strings.Contains(text, "request_id=mine-7") && strings.Contains(text, "request_id=mine-8")
	})
	for _, line := range strings.Split(r.log.String(), "\n") {
		if strings.Contains(line, "mine-7") && !(strings.Contains(line, "grpc.method=ExecuteBatch") &&
			strings.Contains(line, "peer.address=127.0.0.1:") && strings.Contains(line, "commands=1")) {
			t.Errorf("the line is %s", line)
		}
		if strings.Contains(line, "mine-8") && !strings.Contains(line, "reason=MALFORMED_REQUEST") {
			t.Errorf("the line is %s", line)
		}
	}
}

// TestHTTPOverload: over HTTP and gRPC the same batches count.
func TestHTTPOverload(t *testing.T) {
	r := startHTTP(t, "--max-in-flight-batches=1")
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.client(t).ExecuteBatch(ctx, batch([]string{"BLPOP", "jobs", "0"}))
	}()
	defer func() { cancel(); <-done }()
	eventually(t, "the batch in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 1 })
	status, body, _ := post(t, r, `{"batch": {"commands": [{"text_args": ["PING"]}]}}`)
	var got httpError
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusTooManyRequests || got.reason() != "OVERLOADED" {
		t.Fatalf("%d %s", status, body)
	}
	for _, d := range got.Details {
		if d.Type == "google.rpc.RetryInfo" && d.Debug.RetryDelay != "" {
			return
		}
	}
	t.Errorf("no RetryInfo: %s", body)
}

// TestHTTPDrain: what is in flight ends with its answer, new connections are refused, and nothing
// outlives Run.
func TestHTTPDrain(t *testing.T) {
	r := startHTTP(t, "--drain-timeout=30s")
	answered := make(chan string, 1)
	go func() {
		_, body, _ := post(t, r, `{"batch": {"commands": [{"text_args": ["BLPOP", "jobs", "1"]}]}}`)
		answered <- body
	}()
	eventually(t, "the batch in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 1 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if body := <-answered; body != `{"results":[{"nullValue":true}]}`+"\n" {
		t.Errorf("the batch in flight was answered with %s", body)
	}
	if resp, err := httpClient(t).Get(r.url("/")); err == nil {
		resp.Body.Close()
		t.Error("it still listens")
	}
}

// TestHTTPCutOff: what does not end within the drain timeout is cut off.
func TestHTTPCutOff(t *testing.T) {
	r := startHTTP(t, "--drain-timeout=50ms")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		req, err := http.NewRequest(http.MethodPost, r.url(executePath), strings.NewReader(
			`{"batch": {"commands": [{"text_args": ["BLPOP", "jobs", "0"]}]}, "standalone_options": {"timeout": "60s"}}`))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		if resp, err := httpClient(t).Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	eventually(t, "the batch in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 1 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the call goes on")
	}
}
