package server

import (
	"os/exec"
	"testing"
)

// TestHTTPFetch: JavaScript's fetch, without any library, gets results and errors. It needs node.
func TestHTTPFetch(t *testing.T) {
	r := startHTTP(t, "--http-allow-origin=https://app.example")
	out, err := exec.CommandContext(testContext(t), "node", "testdata/fetch.mjs", r.url("")).CombinedOutput()
	if err != nil {
		t.Fatalf("node (Node.js 18 or newer must be installed): %v\n%s", err, out)
	}
	const want = "200 {\"results\":[{\"stringValue\":\"OK\"},{\"stringValue\":\"é\"}]}\n400 invalid_argument COMMAND_REFUSED\n"
	if string(out) != want {
		t.Errorf("got %s", out)
	}
}
