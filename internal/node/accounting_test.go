package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/node"
)

// cutConn is a connection whose write side fails after so many bytes, as when it is cut in
// the middle of a write. Having no file descriptor to write to it takes the writer's way.
type cutConn struct {
	net.Conn
	mu    sync.Mutex
	left  int
	armed bool
}

var errCut = errors.New("cut")

func (c *cutConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		c.armed = true // the handshake passes
		return c.Conn.Write(b)
	}
	if len(b) <= c.left {
		c.left -= len(b)
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:c.left])
	c.left = 0
	c.Conn.(*net.TCPConn).CloseWrite()
	return n, errCut
}

// TestCutMidWrite: wherever a write is cut, the commands whose last byte was not written are
// not sent, those the server answered are acknowledged, the others are unknown.
func TestCutMidWrite(t *testing.T) {
	large := strings.Repeat("L", node.LargeArg+10)
	commands := [][][]byte{command("ECHO", "a"), command("ECHO", large), command("NOREPLY"), command("ECHO", "after")}
	var ends []int
	total := 0
	for _, c := range commands {
		total += batch(c).Bytes()
		ends = append(ends, total)
	}
	addr := startRaw(t, func(p *peer) {
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			if args[0] == "NOREPLY" {
				io.Copy(io.Discard, p.br)
				return
			}
			p.say(bulk(args[1]))
		}
	})
	cuts := []int{0, 1}
	for _, e := range ends {
		cuts = append(cuts, e-1, e, e+1)
	}
	for _, cut := range cuts {
		if cut >= total {
			continue
		}
		n := newPool(t, node.Config{Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &cutConn{Conn: c, left: cut}, nil
		}}).Get(addr)
		b := do(t, n, ordinary, commands...)
		var want []string
		for i, e := range ends {
			switch {
			case e > cut:
				want = append(want, "not sent")
			case i < 2:
				want = append(want, bulk(string(commands[i][1])))
			default:
				want = append(want, "unknown")
			}
		}
		if diff := cmp.Diff(want, outcome(b)); diff != "" {
			t.Errorf("cut at %d of %d (ends %v): %s\n%v", cut, total, ends, diff, b.Err())
		}
		wantConnectionError(t, b, node.OpLost)
	}
}

// TestCutQueued: of the sub-batches queued behind each other on a lost connection, each knows
// exactly what became of it.
func TestCutQueued(t *testing.T) {
	const callers, each = 20, 5
	served := 0
	var mu sync.Mutex
	ran := map[string]bool{}
	addr := startRaw(t, func(p *peer) {
		for ; p.number == 0; served++ {
			args, err := p.read()
			if err != nil {
				return
			}
			mu.Lock()
			ran[args[1]] = true
			mu.Unlock()
			if served == 42 {
				return // executed, not answered
			}
			p.say(bulk(args[1]))
		}
	})
	n := newPool(t, node.Config{BackoffMin: time.Hour, BackoffMax: time.Hour}).Get(addr)
	batches := make([]*node.Batch, callers)
	var wg sync.WaitGroup
	for i := range batches {
		wg.Go(func() {
			var commands [][][]byte
			for j := range each {
				commands = append(commands, command("ECHO", fmt.Sprint(i, "-", j)))
			}
			batches[i] = do(t, n, ordinary, commands...)
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	acknowledged := 0
	for i, b := range batches {
		for j := range each {
			id := fmt.Sprint(i, "-", j)
			f, state := b.Reply(j)
			switch {
			case state == node.Acknowledged && (string(f) != bulk(id) || !ran[id]):
				t.Errorf("%s: %q", id, f)
			case state == node.NotSent && ran[id]:
				t.Errorf("%s ran, and counts as not sent", id)
			case state == node.Acknowledged:
				acknowledged++
			}
		}
	}
	if acknowledged > 42 || acknowledged < each {
		t.Errorf("%d acknowledged of 42", acknowledged)
	}
}

// stall is a server that answers the first command of a connection and then reads nothing
// more until it is released.
func stall(t *testing.T) (addr string, release func(), read <-chan string) {
	gate := make(chan struct{})
	got := make(chan string, 100000)
	addr = startRaw(t, func(p *peer) {
		if _, err := p.read(); err != nil {
			return
		}
		p.say("+FIRST\r\n")
		<-gate
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			got <- args[1]
			p.say(bulk(args[1]))
		}
	})
	var once sync.Once
	release = func() { once.Do(func() { close(gate) }) }
	t.Cleanup(release)
	return addr, release, got
}

// TestContextOnStalledPeer: a peer that stops reading holds nobody past the own context;
// what was never begun is not sent and is not sent later either, and the connection is whole
// when the peer comes back.
func TestContextOnStalledPeer(t *testing.T) {
	addr, release, read := stall(t)
	n := newPool(t, node.Config{MaxInFlight: 4, MaxInFlightBytes: 1 << 40}).Get(addr)
	wantOK(t, do(t, n, ordinary, command("FIRST")), "+FIRST\r\n")

	huge := strings.Repeat("h", 64<<20) // more than all socket buffers take
	try := func(text string) *node.Batch {
		b := batch(command("ECHO", text))
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		defer cancel()
		began := time.Now()
		n.Do(ctx, ordinary, b)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("Do returned after %v", took)
		}
		if !errors.Is(b.Err(), context.DeadlineExceeded) {
			t.Errorf("error %v", b.Err())
		}
		return b
	}
	wantOutcome(t, try(huge), "unknown")      // being written
	wantOutcome(t, try("queued"), "not sent") // behind it
	wantOutcome(t, try("again"), "not sent")
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { wantOutcome(t, try("no room"), "not sent") })
	}
	wg.Wait()

	release()
	wantOK(t, do(t, n, ordinary, command("ECHO", "alive")), bulk("alive"))
	if first := <-read; len(first) != len(huge) {
		t.Errorf("read %.20q first", first)
	}
	if second := <-read; second != "alive" {
		t.Errorf("read %q, which was taken back", second)
	}
}

// TestContextWhileAwaiting: replies that came are kept, the rest is unknown, and the next
// batch on the same connection gets its own replies.
func TestContextWhileAwaiting(t *testing.T) {
	release := make(chan struct{})
	addr := startRaw(t, func(p *peer) {
		for i := 0; ; i++ {
			args, err := p.read()
			if err != nil {
				return
			}
			if i == 2 {
				<-release
			}
			p.say(bulk(fmt.Sprint(p.number, args[1])))
		}
	})
	n := getNode(t, addr)
	ctx, cancel := context.WithCancel(context.Background())
	b := batch(command("ECHO", "a"), command("ECHO", "b"), command("ECHO", "c"), command("ECHO", "d"))
	go func() {
		time.Sleep(50 * time.Millisecond)
		cancel()
	}()
	n.Do(ctx, ordinary, b)
	if !errors.Is(b.Err(), context.Canceled) {
		t.Errorf("error %v", b.Err())
	}
	wantOutcome(t, b, bulk("0a"), bulk("0b"), "unknown", "unknown")
	close(release)
	wantOK(t, do(t, n, ordinary, command("ECHO", "e")), bulk("0e"))
	wantOutcome(t, b, bulk("0a"), bulk("0b"), "unknown", "unknown") // nothing came later
	n.Do(ctx, ordinary, b)
	late := batch(command("ECHO", "f"))
	n.Do(ctx, ordinary, late)
	wantOutcome(t, late, "not sent")
}

// TestInFlightBytes: a sub-batch over the bound goes alone, others wait for it.
func TestInFlightBytes(t *testing.T) {
	addr := startRaw(t, func(p *peer) {
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			p.say(bulk(args[1]))
		}
	})
	n := newPool(t, node.Config{MaxInFlight: 2, MaxInFlightBytes: 100}).Get(addr)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			text := strings.Repeat(fmt.Sprint(i), 1+i*3)
			wantOK(t, do(t, n, ordinary, command("ECHO", text)), bulk(text))
		})
	}
	wg.Wait()
}
