package acceptance

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// A script that never ends must not take its callers' way to end it with it: Valkey reads
// nothing more from the connection that the script came on, and answers BUSY on the others.
func TestScriptThatNeverEndsCanBeKilledThroughTheService(t *testing.T) {
	node := valkeytest.StartServer(t, valkeytest.Args("--busy-reply-threshold", "50"))
	s := serve(t, []string{node.Addr()})
	s.want(t, pipeline(cmd("SET", "k", "v")), "OK")

	f := s.fail(t, pipeline(cmd("EVAL", "while true do end", "0")).within(false, 300*time.Millisecond), codes.DeadlineExceeded)
	if f.metadata["answered"] != "0" {
		t.Errorf("metadata %v, want none answered", f.metadata)
	}
	s.want(t, pipeline(cmd("GET", "k")), "!BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
	s.want(t, pipeline(cmd("SCRIPT", "KILL")), "OK")
	valkeytest.Eventually(t, "the server to serve again", func() error {
		resp, err := s.send(pipeline(cmd("GET", "k")).raise())
		if err == nil && render(resp.GetResults()[0]) != `"v"` {
			t.Fatalf("GET k: %s", render(resp.GetResults()[0]))
		}
		return err
	})
}
