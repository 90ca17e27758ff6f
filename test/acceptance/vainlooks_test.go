package acceptance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Batches whose time ends while a blocking command waits, or that were given hardly any, say
// nothing of the deployment, and are no reason to ask it for its topology; a node that takes
// long to answer is one. Whether a real node takes long is not for a test to say; so they are
// scripted.
func TestAcceptance072_114_TimeoutsAndTheTopology(t *testing.T) {
	sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
		if args[0] == "SET" {
			return []byte("+OK\r\n")
		}
		return nil // and never an answer to anything else
	})
	s := serve(t, sc.seeds(), unasked...)
	s.want(t, pipeline(cmd("SET", sc.key(0, "k"), "v"), cmd("SET", sc.key(1, "k"), "v")), "OK", "OK")
	asked := sc.asked.Load()
	var callers sync.WaitGroup
	for i := range 48 {
		callers.Go(func() {
			late := pipeline(cmd("BLPOP", sc.key(i%2, fmt.Sprint("list", i)), "0"), cmd("GET", sc.key(i%2, "k"))).within(true, 300*time.Millisecond)
			switch i % 4 {
			case 2:
				late = pipeline(cmd("GET", sc.key(0, "k"))).within(true, 100*time.Millisecond)
			case 3:
				late = pipeline(cmd("BLPOP", sc.key(1, "list"), "0")).within(true, 1200*time.Millisecond)
			}
			if _, err := s.send(late); failureOf(err).code != codes.DeadlineExceeded {
				t.Errorf("batch %d: %v", i, err)
			}
		})
	}
	callers.Wait()
	time.Sleep(200 * time.Millisecond) // longer than a look would wait
	if n := sc.asked.Load() - asked; n > 0 {
		t.Errorf("the topology was asked for %d times", n)
	}
	s.fail(t, pipeline(cmd("GET", sc.key(0, "k"))).within(true, 1200*time.Millisecond), codes.DeadlineExceeded)
	valkeytest.Eventually(t, "a look at the topology", func() error {
		if sc.asked.Load() == asked {
			return errNotYet
		}
		return nil
	})
}
