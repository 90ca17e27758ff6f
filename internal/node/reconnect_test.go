package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestReconnectAfterRestart(t *testing.T) {
	s := valkeytest.StartServer(t)
	n := newPool(t, node.Config{BackoffMax: 100 * time.Millisecond}).Get(s.Addr())
	targets := []node.Target{ordinary, {Class: node.Bulk}, blocking, {Class: node.Atomic}}
	for _, target := range targets {
		if b := do(t, n, target, command("PING")); b.Err() != nil {
			t.Fatal(b.Err())
		}
	}
	s.Kill(t)
	valkeytest.Eventually(t, "the loss is noticed", func() error {
		b := do(t, n, ordinary, command("PING"))
		var c *node.ConnectionError
		if !errors.As(b.Err(), &c) || c.Op != node.OpDial {
			return fmt.Errorf("%v", b.Err())
		}
		wantOutcome(t, b, "not sent")
		return nil
	})
	s.Start(t)
	for _, target := range targets {
		valkeytest.Eventually(t, "the node is back", func() error { return do(t, n, target, command("PING")).Err() })
	}
}

// TestServerClosesIdleConnections: the next batch is not the victim.
func TestServerClosesIdleConnections(t *testing.T) {
	s := valkeytest.StartServer(t)
	n := getNode(t, s.Addr())
	targets := []node.Target{ordinary, blocking, {Class: node.Atomic}, {Class: node.Atomic, Asking: true}}
	for range 3 {
		for _, target := range targets {
			if b := do(t, n, target, command("PING")); b.Err() != nil && !target.Asking {
				t.Errorf("%+v: %v", target, b.Err())
			}
		}
		s.MustDo(t, "CLIENT", "KILL", "TYPE", "normal")
		time.Sleep(30 * time.Millisecond)
	}
}

// TestDialIsShared: many callers wait for one dial, each no longer than its own context, and
// the dial does not depend on any of them.
func TestDialIsShared(t *testing.T) {
	s := valkeytest.SharedServer(t)
	var dials atomic.Int32
	release := make(chan struct{})
	n := newPool(t, node.Config{DialTimeout: patience, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		select {
		case <-release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}).Get(s.Addr())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	first := batch(command("PING"))
	n.Do(ctx, ordinary, first)
	wantOutcome(t, first, "not sent")
	if !errors.Is(first.Err(), context.DeadlineExceeded) {
		t.Errorf("error %v", first.Err())
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { wantOK(t, do(t, n, ordinary, command("PING")), "+PONG\r\n") })
	}
	time.Sleep(20 * time.Millisecond)
	close(release)
	wg.Wait()
	if dials.Load() != 1 {
		t.Errorf("%d dials", dials.Load())
	}
}

func TestDialTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts in the kernel and never answers HELLO
	hang := func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{Deadline: time.Now().Add(-time.Hour)}).DialContext(ctx, network, addr)
	}
	for _, tc := range []struct {
		op     string
		dialer func(context.Context, string, string) (net.Conn, error)
	}{{node.OpHandshake, nil}, {node.OpDial, hang}} {
		for _, target := range []node.Target{ordinary, blocking, {Class: node.Atomic}} {
			n := newPool(t, node.Config{DialTimeout: 50 * time.Millisecond, Dialer: tc.dialer}).Get(l.Addr().String())
			b := do(t, n, target, command("PING"))
			wantConnectionError(t, b, tc.op)
			wantOutcome(t, b, "not sent")
			if errors.Is(b.Err(), context.DeadlineExceeded) {
				t.Errorf("%v looks like the caller's own deadline", b.Err())
			}
		}
	}
}

// TestBackoff: callers in the pause after a failed dial get its error at once.
func TestBackoff(t *testing.T) {
	var dials atomic.Int32
	refused := errors.New("refused")
	n := newPool(t, node.Config{BackoffMin: 20 * time.Millisecond, BackoffMax: 40 * time.Millisecond, Dialer: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, refused
	}}).Get("127.0.0.1:1")
	began := time.Now()
	calls := 0
	for ; time.Since(began) < 200*time.Millisecond; calls++ {
		b := do(t, n, ordinary, command("PING"))
		if !errors.Is(b.Err(), refused) {
			t.Fatal(b.Err())
		}
	}
	if d := int(dials.Load()); d < 2 || d > 25 || calls < 2*d {
		t.Errorf("%d calls, %d dials", calls, d)
	}
}

// TestRecycle: new batches use a fresh connection; the one in flight finishes on the old one.
func TestRecycle(t *testing.T) {
	hold := make(chan struct{})
	s := valkeytest.StartScripted(t, func(conn int, args []string) []byte {
		if args[0] == "HOLD" {
			<-hold
		}
		if args[0] == "HOLD" || args[0] == "WHO" {
			return fmt.Appendf(nil, ":%d\r\n", conn)
		}
		return nil
	})
	n := getNode(t, s.Addr())
	wantOK(t, do(t, n, ordinary, command("WHO")), ":0\r\n")
	wantOK(t, do(t, n, blocking, command("WHO")), ":1\r\n")
	held := make(chan *node.Batch, 2)
	go func() { held <- do(t, n, ordinary, command("HOLD")) }()
	go func() { held <- do(t, n, blocking, command("HOLD")) }()
	valkeytest.Eventually(t, "both are held", func() error {
		if s.Count("HOLD") < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	n.Recycle()
	wantOK(t, do(t, n, ordinary, command("WHO")), ":2\r\n")
	wantOK(t, do(t, n, blocking, command("WHO")), ":3\r\n")
	close(hold)
	for range 2 {
		if b := <-held; b.Err() != nil {
			t.Error(b.Err())
		}
	}
	valkeytest.Eventually(t, "the old ones are closed", func() error {
		if s.Open() != 2 {
			return fmt.Errorf("%d open", s.Open())
		}
		return nil
	})
	wantOK(t, do(t, n, ordinary, command("WHO")), ":2\r\n")
	wantOK(t, do(t, n, blocking, command("WHO")), ":3\r\n")
}

func TestRetainAndClose(t *testing.T) {
	hold := make(chan struct{})
	s := valkeytest.StartScripted(t, func(_ int, args []string) []byte {
		if args[0] == "HOLD" {
			<-hold
			return []byte("+HELD\r\n")
		}
		return nil
	})
	p := newPool(t, node.Config{})
	n := p.Get(s.Addr())
	if n.Addr() != s.Addr() || p.Get(s.Addr()) != n {
		t.Error("Get does not return the node")
	}
	held := make(chan *node.Batch, 1)
	go func() { held <- do(t, n, ordinary, command("HOLD")) }()
	valkeytest.Eventually(t, "it is held", func() error {
		if s.Count("HOLD") == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	p.Retain(map[string]struct{}{s.Addr(): {}})
	if p.Get(s.Addr()) != n {
		t.Error("Retain dropped a node that stays")
	}
	p.Retain(map[string]struct{}{"elsewhere:1": {}})
	for _, target := range []node.Target{ordinary, blocking, {Class: node.Atomic}} {
		b := do(t, n, target, command("PING"))
		wantConnectionError(t, b, node.OpClose)
		wantOutcome(t, b, "not sent")
	}
	close(hold)
	wantOK(t, <-held, "+HELD\r\n")
	valkeytest.Eventually(t, "its connection is closed", func() error {
		if s.Open() != 0 {
			return fmt.Errorf("%d open", s.Open())
		}
		return nil
	})

	again := p.Get(s.Addr())
	wantOK(t, do(t, again, ordinary, command("PING")), "+PONG\r\n")
	p.Close()
	p.Close()
	for _, closed := range []*node.Node{again, p.Get(s.Addr()), p.Get("elsewhere:2")} {
		b := do(t, closed, ordinary, command("PING"))
		if !errors.Is(b.Err(), node.ErrClosed) {
			t.Errorf("error %v", b.Err())
		}
	}
}

// TestCloseEndsWhatIsInFlight, also when the peer is stuck.
func TestCloseEndsWhatIsInFlight(t *testing.T) {
	addr, _, _ := stall(t)
	p := newPool(t, node.Config{})
	n := p.Get(addr)
	wantOK(t, do(t, n, ordinary, command("FIRST")), "+FIRST\r\n")
	huge := string(make([]byte, 64<<20))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			b := do(t, n, ordinary, command("ECHO", huge))
			if !errors.Is(b.Err(), node.ErrClosed) {
				t.Errorf("error %v", b.Err())
			}
			wantOutcome(t, b, "not sent") // its last byte was not written
		})
	}
	time.Sleep(50 * time.Millisecond)
	p.Close()
	wg.Wait()
}
