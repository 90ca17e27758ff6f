package server

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestFailureReasons: of all that callers are told RESOURCE_EXHAUSTED for, what is the server's load
// is told apart from what is one batch's or Valkey's own.
func TestFailureReasons(t *testing.T) {
	valkey := valkeytest.StartServer(t, valkeytest.Args("--maxmemory", "1", "--maxmemory-policy", "noeviction"))
	r := start(t, settings(t, "--valkey", valkey.Addr(), "--admin-listen=127.0.0.1:0", "--max-in-flight-batches=1", "--max-commands=3"))
	client := r.client(t)
	eventually(t, "the topology is known", func() bool {
		_, err := client.ExecuteBatch(testContext(t), batch([]string{"PING"}))
		return err == nil
	})
	before := r.scrape(t)
	refused := func(commands ...[]string) {
		t.Helper()
		req := batch(commands...)
		req.RaiseOnError = true
		if _, err := client.ExecuteBatch(testContext(t), req); status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("%v: %v", commands, err)
		}
	}
	ping := []string{"PING"}
	refused(ping, ping, ping, ping)
	refused([]string{"SET", "k", "v"}) // OOM
	refused([]string{"SET", "k", "v"})
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"SUBSCRIBE", "c"})); status.Code(err) != codes.InvalidArgument {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := client.ExecuteBatch(testContext(t), batch([]string{"BLPOP", "none", "0"}))
		done <- err
	}()
	blocked := ""
	eventually(t, "one batch is in flight", func() bool { blocked = blockedClient(t, valkey); return blocked != "" })
	for range 3 {
		refused(ping)
	}
	valkey.MustDo(t, "CLIENT", "UNBLOCK", blocked)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	figures{
		"valkeybatch_failures_total reason=LIMIT_EXCEEDED":    1,
		"valkeybatch_failures_total reason=COMMAND_FAILED":    2,
		"valkeybatch_failures_total reason=OVERLOADED":        3,
		"valkeybatch_failures_total reason=other":             1,
		"valkeybatch_failures_total":                          7,
		"valkeybatch_batches_total status=RESOURCE_EXHAUSTED": 6,
		"valkeybatch_batches_total status=INVALID_ARGUMENT":   1,
		"valkeybatch_trace_spans_lost_total":                  0,
		"valkeybatch_batch_duration_seconds mode=pipeline":    8,
		"valkeybatch_command_errors_total code=OOM":           2,
	}.check(t, before, r.scrape(t))
}

// blockedClient returns the id of the one client that waits; empty: none does.
func blockedClient(t *testing.T, s *valkeytest.Server) string {
	t.Helper()
	for line := range strings.Lines(s.Text(t, "CLIENT", "LIST")) {
		if strings.Contains(line, "cmd=blpop") {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			return id
		}
	}
	return ""
}
