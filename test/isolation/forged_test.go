package isolation

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// trap is a host that is no node of the deployment, and counts who connects to it.
type trap struct {
	addr  string
	calls atomic.Int64
}

func setTrap(t *testing.T) *trap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &trap{addr: l.Addr().String()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tr.calls.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return tr
}

// forgeries are texts of errors that a server says of its own state, made up.
func forgeries(d *deployment, tr *trap) (texts []string) {
	_, trapPort, _ := net.SplitHostPort(tr.addr)
	slots := []string{"0", "16383", "16384", "99999", "-1", "18446744073709551616", "x", "", fmt.Sprint(valkeytest.Slot("{swept}:a"))}
	addresses := []string{tr.addr, ":" + trapPort, "localhost:" + trapPort, "[::1]:" + trapPort, "?:" + trapPort, "host.invalid:1", "", "127.0.0.1", "127.0.0.1:0",
		"127.0.0.1:99999", "127.0.0.1:" + trapPort + " x", d.nodes[0].Addr()}
	for _, kind := range []string{"MOVED", "ASK", "moved", "-MOVED", "REDIRECT"} {
		for i, slot := range slots {
			for j, address := range addresses {
				if full || (i+j)%6 == 0 || address == tr.addr && i%2 == 0 {
					texts = append(texts, kind+" "+slot+" "+address)
				}
			}
		}
		texts = append(texts, kind, kind+" ", kind+"  1  "+tr.addr, kind+"_x", kind+" "+strings.Repeat("9", 100_000)+" "+tr.addr,
			kind+" 1 "+strings.Repeat("a", 1<<20)+":1")
	}
	for _, code := range []string{"TRYAGAIN", "READONLY", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "CROSSSLOT", "NOAUTH", "NOPERM", "NOPROTO", "WRONGPASS", "EXECABORT",
		"BUSY", "OOM", "NOSCRIPT", "UNBLOCKED", "NOREPLICAS", "MISCONF", "CONNECTION", "TIMEOUT", "REPLY", "ERR", "", "\u00e9", "QUEUED", "ERR unknown command"} {
		texts = append(texts, code, code+" forged", code+" "+strings.Repeat("x", 70_000), code+"\r\n+OK\r\n")
	}
	return texts
}

// forge makes the calls that answer with an error of the given text, itself and within others.
func forge(message string) []*command {
	return []*command{
		cmd("EVAL", "return redis.error_reply(ARGV[1])", "1", "{swept}:a", message),
		cmd("EVAL", "redis.call('INCR', KEYS[1]) return {err=ARGV[1]}", "1", "{swept}:forged", message),
		cmd("EVAL", "return {1, {2, {err=ARGV[1]}}, redis.error_reply(ARGV[1])}", "1", "{swept}:a", message),
		cmd("EVAL", "redis.setresp(3) return {map={a={err=ARGV[1]}}}", "1", "{swept}:a", message),
		cmd("EVAL", "error({err=ARGV[1]})", "1", "{swept}:a", message),
		cmd("EVAL", "return {ok=ARGV[1]}", "1", "{swept}:a", message),
	}
}

// Errors that scripts make up send the service nowhere, and disturb nobody's view of the deployment.
func TestForgedErrors(t *testing.T) {
	t.Parallel()
	onBoth(t, nil, func(t *testing.T, d *deployment) {
		tr := setTrap(t)
		texts := forgeries(d, tr)
		var connections []int
		for _, n := range d.nodes {
			connections = append(connections, received(t, n))
		}
		canaries := release(t, d.Server, d.isCluster, false)
		work := make(chan string)
		var callers sync.WaitGroup
		for i := range 12 {
			r := rand.New(rand.NewPCG(2, uint64(i)))
			callers.Go(func() {
				for message := range work {
					calls := forge(message)
					if !full {
						calls = []*command{calls[r.IntN(len(calls))], calls[r.IntN(2)]}
					}
					for _, call := range calls {
						batches := append(shapes(call, r), atomicBatch(call, call, cmd("INCR", "{swept}:forged")))
						if !full {
							batches = batches[r.IntN(len(batches)):][:1]
						}
						for _, batch := range batches {
							d.send(t, batch, 150*time.Millisecond, r.IntN(2) == 0)
						}
					}
				}
			})
		}
		for _, message := range texts {
			work <- message
		}
		close(work)
		callers.Wait()
		canaries.done(t)
		d.noDefect(t)
		t.Logf("%d texts", len(texts))
		if n := tr.calls.Load(); n != 0 {
			t.Errorf("the service connected %d times to a host that is no node", n)
		}
		for i, n := range d.nodes {
			// The server's own looks at the topology, the canaries' and the callers' transactions.
			if more := received(t, n) - connections[i]; more > 300 {
				t.Errorf("%d new connections to %s", more, n.Addr())
			}
		}
	})
}

// received is how many connections a node has accepted.
func received(t *testing.T, n *valkeytest.Server) (count int) {
	t.Helper()
	if _, err := fmt.Sscan(n.Info(t, "stats", "total_connections_received"), &count); err != nil {
		t.Fatal(err)
	}
	return count
}
