package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// doWithin carries out commands until the given time is up.
func doWithin(t testing.TB, n *node.Node, target node.Target, d time.Duration, commands ...[][]byte) *node.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	b := batch(commands...)
	n.Do(ctx, target, b)
	return b
}

// TestHungServer: one that has stopped holds up callers on the open connection only until one
// of them has waited in vain; then dials find out that it hangs, and nobody waits them out.
func TestHungServer(t *testing.T) {
	t.Parallel()
	s := valkeytest.StartServer(t)
	for _, target := range []node.Target{ordinary, {Class: node.Bulk}, transaction} {
		n := newPool(t, node.Config{DialTimeout: time.Second}).Get(s.Addr())
		if b := do(t, n, target, command("PING")); b.Err() != nil {
			t.Fatal(b.Err())
		}
		s.Pause(t)
		b := doWithin(t, n, target, 1200*time.Millisecond, command("PING"))
		wantOutcome(t, b, "unknown")
		if !errors.Is(b.Err(), context.DeadlineExceeded) {
			t.Errorf("error %v", b.Err())
		}
		for i := range 5 { // all with much time, of which they need little
			began := time.Now()
			b = do(t, n, target, command("PING"))
			wantOutcome(t, b, "not sent")
			var lost *node.ConnectionError
			if !errors.As(b.Err(), &lost) || !lost.Timeout {
				t.Errorf("error %v, want a ConnectionError with Timeout", b.Err())
			}
			if took := time.Since(began); i == 0 && took > 10*time.Second || i > 0 && took > 900*time.Millisecond {
				t.Errorf("call %d took %v", i, took)
			}
		}
		s.Resume(t)
		valkeytest.Eventually(t, "the node is back", func() error { return do(t, n, target, command("PING")).Err() })
	}
}

// TestHungServerWithImpatientCallers: the silence counts, however short each caller's time is.
func TestHungServerWithImpatientCallers(t *testing.T) {
	t.Parallel()
	s := valkeytest.StartServer(t)
	n := newPool(t, node.Config{DialTimeout: 100 * time.Millisecond, MaxInFlight: 4}).Get(s.Addr())
	do(t, n, ordinary, command("PING"))
	s.Pause(t)
	valkeytest.Eventually(t, "the node is known to hang", func() error {
		b := doWithin(t, n, ordinary, 150*time.Millisecond, command("PING"))
		var lost *node.ConnectionError
		if !errors.As(b.Err(), &lost) || !lost.Timeout {
			return b.Err()
		}
		return nil
	})
	s.Resume(t)
	valkeytest.Eventually(t, "the node is back", func() error { return do(t, n, ordinary, command("PING")).Err() })
}

// TestBlockedConnection: a command that blocks a shared connection takes those along who wait
// behind it, until one has waited in vain. Who waits longer gets the replies still.
func TestBlockedConnection(t *testing.T) {
	t.Parallel()
	s := valkeytest.StartServer(t)
	n := getNode(t, s.Addr())
	var wg sync.WaitGroup
	wg.Go(func() {
		wantOK(t, do(t, n, ordinary, command("BLPOP", "k", "0"), command("PING")), "*2\r\n"+bulk("k")+bulk("v"), "+PONG\r\n")
	})
	blocked := func(want string) {
		t.Helper()
		valkeytest.Eventually(t, want+" clients are blocked", func() error {
			if got := s.Info(t, "clients", "blocked_clients"); got != want {
				return fmt.Errorf("%s are", got)
			}
			return nil
		})
	}
	blocked("1")
	wantOutcome(t, doWithin(t, n, ordinary, 1200*time.Millisecond, command("PING")), "unknown")
	wantOK(t, do(t, n, ordinary, command("RPUSH", "k", "v")), ":1\r\n")
	wg.Wait()
	// When nobody waits for it any more, the server's client goes too.
	doWithin(t, n, ordinary, 1200*time.Millisecond, command("BLPOP", "k", "0"))
	blocked("0")
	wantOK(t, do(t, n, ordinary, command("PING")), "+PONG\r\n")
}

// TestBusyConnectionStays: where replies come, a caller who gives up costs nobody a connection.
func TestBusyConnectionStays(t *testing.T) {
	t.Parallel()
	addr := startRaw(t, func(p *peer) {
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			if args[0] == "SLOW" {
				time.Sleep(400 * time.Millisecond)
			}
			p.say(fmt.Sprintf(":%d\r\n", p.number))
		}
	})
	n := getNode(t, addr)
	wantOK(t, do(t, n, ordinary, command("PING")), ":0\r\n")
	for range 4 {
		b := doWithin(t, n, ordinary, 300*time.Millisecond, command("SLOW"))
		wantOutcome(t, b, "unknown")
	}
	wantOK(t, do(t, n, ordinary, command("PING")), ":0\r\n")
}

// TestHeldUpConnectionsAreBounded: however many connections are held up while somebody waits
// for each, few are open; what was in flight on the others is unknown.
func TestHeldUpConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	var open atomic.Int32
	addr := startRaw(t, func(p *peer) {
		open.Add(1)
		defer open.Add(-1)
		p.drain()
	})
	n := getNode(t, addr)
	patient := make(chan *node.Batch, 20)
	ctx, cancel := context.WithCancel(t.Context())
	for range 8 {
		go func() {
			b := batch(command("SET", "k", "v"))
			n.Do(ctx, ordinary, b)
			patient <- b
		}()
		wantOutcome(t, doWithin(t, n, ordinary, 1200*time.Millisecond, command("PING")), "unknown")
	}
	for range 3 { // eight are held up; the last is not replaced yet
		b := <-patient
		wantConnectionError(t, b, node.OpClose)
		wantOutcome(t, b, "unknown")
	}
	if got := open.Load(); got > 6 {
		t.Errorf("%d connections are open", got)
	}
	cancel()
	for range 5 {
		if b := <-patient; !errors.Is(b.Err(), context.Canceled) {
			t.Errorf("error %v", b.Err())
		}
	}
	valkeytest.Eventually(t, "connections that nobody waits for are closed", func() error {
		if got := open.Load(); got > 1 {
			return fmt.Errorf("%d are open", got)
		}
		return nil
	})
}

// TestRestOfRepliesHoldsUpNobody: neither what comes behind a broken limit, nor what comes for
// a caller who has gone.
func TestRestOfRepliesHoldsUpNobody(t *testing.T) {
	const part = 1 << 20
	for name, run := range map[string]func(n *node.Node) *node.Batch{
		"limit": func(n *node.Node) *node.Batch {
			b := node.NewBatch(1, node.NewBudget(part))
			b.Add(command("ENDLESS"))
			n.Do(t.Context(), ordinary, b)
			return b
		},
		"gone": func(n *node.Node) *node.Batch {
			return doWithin(t, n, ordinary, 50*time.Millisecond, command("ENDLESS"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			addr := startRaw(t, func(p *peer) {
				for {
					args, err := p.read()
					if err != nil {
						return
					}
					if args[0] != "ENDLESS" {
						p.say("+OK\r\n")
						continue
					}
					defer close(ended)
					p.say("$2147483647\r\n")
					for range 2047 {
						if p.say(strings.Repeat("x", part)) != nil {
							return
						}
						time.Sleep(time.Millisecond)
					}
				}
			})
			n := getNode(t, addr)
			b := run(n)
			wantOutcome(t, b, "unknown")
			select {
			case <-ended:
			case <-time.After(patience):
				t.Error("the replies go on to be read")
			}
			wantOK(t, do(t, n, ordinary, command("PING")), "+OK\r\n")
		})
	}
}

// TestLimitSparesOthers: those behind a batch that broke a limit get their replies still.
func TestLimitSparesOthers(t *testing.T) {
	hold := make(chan struct{})
	addr := startRaw(t, func(p *peer) {
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			switch args[0] {
			case "BIG":
				p.say(bulk(strings.Repeat("x", 1<<20)))
				<-hold
				p.say("+REST\r\n")
			case "REST":
			default:
				p.say(fmt.Sprintf(":%d\r\n", p.number))
			}
		}
	})
	n := getNode(t, addr)
	wantOK(t, do(t, n, ordinary, command("PING")), ":0\r\n")
	big := node.NewBatch(2, node.NewBudget(1<<10))
	big.Add(command("BIG"))
	big.Add(command("REST"))
	behind := batch(command("PING"))
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(time.Millisecond)
		n.Do(t.Context(), ordinary, behind)
	})
	n.Do(t.Context(), ordinary, big)
	var limit *node.LimitError
	if !errors.As(big.Err(), &limit) {
		t.Errorf("error %v", big.Err())
	}
	wantOK(t, do(t, n, ordinary, command("PING")), ":1\r\n")
	close(hold)
	wg.Wait()
	if got := outcome(behind); got[0] != ":0\r\n" && got[0] != ":1\r\n" || behind.Err() != nil {
		t.Errorf("%q, %v", got, behind.Err())
	}
}

// TestExclusiveDialsAreBounded: also of callers who give up before the dial does.
func TestExclusiveDialsAreBounded(t *testing.T) {
	for _, class := range []node.Class{node.Blocking, node.Atomic} {
		var now, most atomic.Int64
		p := newPool(t, node.Config{MaxAtomicConns: 2, MaxBlockingConns: 2, Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		for range 50 {
			b := doWithin(t, p.Get("192.0.2.1:1"), node.Target{Class: class}, 2*time.Millisecond, command("PING"))
			wantOutcome(t, b, "not sent")
			if !errors.Is(b.Err(), context.DeadlineExceeded) {
				t.Errorf("error %v", b.Err())
			}
		}
		if most.Load() > 2 {
			t.Errorf("%d dials at once, 2 allowed", most.Load())
		}
	}
}

// TestExclusiveDialIsKept: of a dial whose caller gave up, the next caller has the connection.
func TestExclusiveDialIsKept(t *testing.T) {
	s := valkeytest.SharedServer(t)
	var dials atomic.Int32
	release := make(chan struct{})
	n := newPool(t, node.Config{MaxBlockingConns: 1, DialTimeout: patience, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		<-release
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}).Get(s.Addr())
	wantOutcome(t, doWithin(t, n, blocking, 20*time.Millisecond, command("PING")), "not sent")
	close(release)
	for range 3 {
		wantOK(t, do(t, n, blocking, command("PING")), "+PONG\r\n")
	}
	if dials.Load() != 1 {
		t.Errorf("%d dials", dials.Load())
	}
}

// TestFailedNodeIsWaitedForNoLonger: who waits for a silent node is told when the deployment has
// given it up, whichever the class; and it is told that somebody waits, unless for what waits itself.
func TestFailedNodeIsWaitedForNoLonger(t *testing.T) {
	t.Parallel()
	s := valkeytest.StartServer(t)
	var failed atomic.Bool
	var overdue atomic.Int32
	config := node.Config{
		Failed: func(_ string, after time.Time) bool {
			if time.Since(after) > time.Minute {
				t.Errorf("asked of what was known at %v", after)
			}
			return failed.Load()
		},
		Overdue: func() { overdue.Add(1) },
	}
	n := newPool(t, config).Get(s.Addr())
	targets := []node.Target{ordinary, {Class: node.Bulk}, blocking, transaction}
	for _, target := range targets {
		if b := do(t, n, target, command("PING")); b.Err() != nil {
			t.Fatal(b.Err())
		}
	}
	waiting := make(chan *node.Batch)
	wait := func(target node.Target, commands ...[][]byte) {
		b := batch(commands...)
		n.Do(context.Background(), target, b)
		waiting <- b
	}
	go wait(blocking, command("BLPOP", "k", "0"))
	time.Sleep(2500 * time.Millisecond)
	if got := overdue.Load(); got > 0 {
		t.Errorf("a blocking command counts as overdue, %d times", got)
	}
	s.Pause(t)
	for _, target := range targets {
		go wait(target, command("PING"))
	}
	valkeytest.Eventually(t, "replies are overdue", func() error {
		if overdue.Load() == 0 {
			return errors.New("they are not")
		}
		return nil
	})
	select {
	case <-waiting:
		t.Error("a node that has not failed is not waited for")
	default:
	}
	failed.Store(true)
	for range 1 + len(targets) {
		// The second of the blocking ones needs a connection of its own, which it does not get.
		if b := <-waiting; b.Err() == nil {
			t.Errorf("answered: %q", outcome(b))
		} else if lost := (*node.ConnectionError)(nil); !errors.As(b.Err(), &lost) || (lost.Op != node.OpClose && !lost.Timeout) {
			t.Errorf("error %v", b.Err())
		}
	}
	s.Resume(t)
}
