package acceptance

import (
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// While the nodes do not say what the topology is, a batch that wants to know it anew keeps what
// it has: the healthy node's results, and the last error of the other's. Real nodes answer what
// they know at once; so these are scripted.
func TestAcceptance116_117_TopologyUnknownToTheEnd(t *testing.T) {
	sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
		switch {
		case args[0] == "EXEC":
			return []byte("-EXECABORT Transaction discarded because of previous errors.\r\n")
		case args[0] == "SET" && node == 0:
			return []byte("-READONLY You can't write against a read only replica.\r\n")
		case args[0] == "GET" && node == 0: // to a node that nobody knows
			return []byte("-MOVED " + strconv.Itoa(int(valkeytest.Slot(args[1]))) + " 127.0.0.1:1\r\n")
		case args[0] == "SET":
			return []byte("+OK\r\n")
		}
		return nil
	})
	s := serve(t, sc.seeds(), unasked...)
	other := cmd("SET", sc.key(1, "k"), "v")
	readOnly := func() request { return pipeline(cmd("SET", sc.key(0, "k"), "v"), other) }
	s.must(t, readOnly())
	sc.stall.Store(true)
	for _, timeout := range []time.Duration{500 * time.Millisecond, 900 * time.Millisecond, 3 * time.Second} {
		results := s.must(t, readOnly().timed(timeout, true, false))
		wantError(t, results[0], "READONLY", notExecuted, sc.nodes[0].Addr())
		if got := render(results[1]); got != "OK" {
			t.Errorf("within %v the healthy node's result is %s", timeout, got)
		}
	}
	results := s.must(t, pipeline(cmd("GET", sc.key(0, "k")), other).timed(700*time.Millisecond, false, false))
	wantError(t, results[0], "MOVED", notExecuted, sc.nodes[0].Addr())
	if got := render(results[1]); got != "OK" {
		t.Errorf("beside a redirect to nobody the healthy node's result is %s", got)
	}
	f := s.fail(t, atomicBatch(cmd("SET", sc.key(0, "k"), "v")).within(true, 700*time.Millisecond), codes.Unavailable)
	f.wantMetadata(t, map[string]string{"code": "READONLY", "outcome": "OUTCOME_NOT_EXECUTED"})
}
