package isolation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// blockers are commands that wait for ever, each on keys where nothing comes.
func blockers(i int) *command {
	key := fmt.Sprintf("blocked:{%d}", i)
	switch i % 10 {
	case 0:
		return cmd("BLPOP", key, "0")
	case 1:
		return cmd("BRPOP", key, "0")
	case 2:
		return cmd("BLMOVE", key, key+"b", "LEFT", "RIGHT", "0")
	case 3:
		return cmd("BRPOPLPUSH", key, key+"b", "0")
	case 4:
		return cmd("XREAD", "BLOCK", "0", "STREAMS", key, "$")
	case 5:
		return cmd("BZPOPMIN", key, "0")
	case 6:
		return cmd("BZPOPMAX", key, "0")
	case 7:
		return cmd("BLMPOP", "0", "1", key, "LEFT")
	case 8:
		return cmd("BZMPOP", "0", "1", key, "MIN")
	}
	return cmd("WAIT", "9", "0")
}

// blocked is how many clients wait in the deployment, and how many connections the service has there.
func (d *deployment) blocked(t *testing.T) (waiting, connections int) {
	t.Helper()
	for _, n := range d.nodes {
		for line := range strings.Lines(n.Text(t, "CLIENT", "LIST")) {
			if !strings.Contains(line, " name=valkeybatch ") {
				continue
			}
			connections++
			for field := range strings.FieldsSeq(line) {
				if flags, ok := strings.CutPrefix(field, "flags="); ok && strings.Contains(flags, "b") {
					waiting++
				}
			}
		}
	}
	return waiting, connections
}

func (d *deployment) awaitNoneBlocked(t *testing.T) {
	t.Helper()
	valkeytest.Eventually(t, "nothing blocked on the server", func() error {
		if waiting, _ := d.blocked(t); waiting != 0 {
			return fmt.Errorf("%d clients wait", waiting)
		}
		return nil
	})
}

// Callers who wait by the hundred, for far longer than anybody looks, hold up nobody; their
// connections are bounded, and given back when they are cancelled, hang up or run out of time.
func TestBlockingCommands(t *testing.T) {
	t.Parallel()
	const mostPerNode = 256 // blocking connections (node.Config), and a few dozen of other classes
	onBoth(t, nil, func(t *testing.T, d *deployment) {
		callers := scaled(500, 900)
		canaries := release(t, d.Server, d.isCluster, false)
		for _, end := range []string{"cancelled", "timed out", "on a stream"} {
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			timeout := patience
			if end == "timed out" {
				timeout = 2 * time.Second
			}
			if end == "on a stream" {
				wg.Go(func() { d.blockOnStream(t, ctx, 200) })
			} else {
				for i := range callers {
					wg.Go(func() {
						r := within(d.isCluster, pipeline(cmd("ECHO", "x"), blockers(i), cmd("ECHO", "y")), timeout, false)
						resp, err := d.Client.ExecuteBatch(ctx, r)
						if code := status.Code(err); code != codes.Canceled && code != codes.DeadlineExceeded {
							t.Errorf("%v ended with %v, %v", r.GetBatch().GetCommands()[1], resp, err)
						}
					})
				}
			}
			valkeytest.Eventually(t, "callers that wait", func() error {
				waiting, connections := d.blocked(t)
				if waiting < 100 {
					return fmt.Errorf("%d clients wait", waiting)
				}
				if most := (mostPerNode + 100) * len(d.nodes); waiting > mostPerNode*len(d.nodes) || connections > most {
					t.Errorf("%d connections, %d of them blocked", connections, waiting)
				}
				return nil
			})
			if end != "timed out" {
				time.Sleep(time.Duration(scaled(200, 5000)) * time.Millisecond)
				cancel()
			}
			wg.Wait()
			cancel()
			d.awaitNoneBlocked(t)
			// There is room for the next at once.
			for _, r := range []*request{pipeline(cmd("BLPOP", "blocked:{x}", "0.01")), atomicBatch(cmd("BLPOP", "blocked:{x}", "0"))} {
				if resp, err := d.send(t, r, patience/2, false); err != nil || plain(resp.GetResults()[0]) != "nil" {
					t.Errorf("after those that were %s: %v, %v", end, resp, err)
				}
			}
		}
		canaries.done(t)
	})
}
