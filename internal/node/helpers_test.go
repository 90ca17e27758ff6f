package node_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/node"
)

// patience is how long a test waits for what should happen soon.
const patience = 20 * time.Second

var (
	ordinary    = node.Target{}
	blocking    = node.Target{Class: node.Blocking}
	transaction = node.Target{Class: node.Atomic}
)

// always is a pool's TLS settings that do not change.
func always(settings *tls.Config) func() *tls.Config {
	return func() *tls.Config { return settings }
}

func newPool(t testing.TB, cfg node.Config) *node.Pool {
	t.Helper()
	p := node.NewPool(cfg)
	t.Cleanup(p.Close)
	return p
}

func getNode(t testing.TB, addr string) *node.Node {
	t.Helper()
	return newPool(t, node.Config{}).Get(addr)
}

// command is a command's arguments.
func command(args ...string) [][]byte {
	out := make([][]byte, len(args))
	for i, a := range args {
		out[i] = []byte(a)
	}
	return out
}

func batch(commands ...[][]byte) *node.Batch {
	b := node.NewBatch(len(commands), nil)
	for _, c := range commands {
		b.Add(c)
	}
	return b
}

// do carries out commands within the tests' patience.
func do(t testing.TB, n *node.Node, target node.Target, commands ...[][]byte) *node.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b := batch(commands...)
	n.Do(ctx, target, b)
	if errors.Is(b.Err(), context.DeadlineExceeded) {
		t.Errorf("no end in %v: %v", patience, b.Err())
	}
	return b
}

// outcome renders a batch's replies, or what is known of each command.
func outcome(b *node.Batch) []string {
	out := make([]string, b.Len())
	for i := range out {
		f, s := b.Reply(i)
		if s == node.Acknowledged {
			out[i] = string(f)
		} else {
			out[i] = s.String()
		}
	}
	return out
}

func wantOutcome(t testing.TB, b *node.Batch, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, outcome(b)); diff != "" {
		t.Errorf("outcome (-want +got):\n%s\nerror: %v", diff, b.Err())
	}
}

func wantOK(t testing.TB, b *node.Batch, want ...string) {
	t.Helper()
	if b.Err() != nil {
		t.Errorf("error: %v", b.Err())
	}
	wantOutcome(t, b, want...)
}

// wantConnectionError checks the operation that failed.
func wantConnectionError(t testing.TB, b *node.Batch, op string) {
	t.Helper()
	var c *node.ConnectionError
	if !errors.As(b.Err(), &c) || c.Op != op {
		t.Errorf("error %v, want a ConnectionError of %q", b.Err(), op)
	}
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// raw is a server of bytes: for what cannot be said command by command.
type raw struct {
	net.Listener
	wg sync.WaitGroup
}

// peer is one connection of a raw server, behind its HELLO.
type peer struct {
	net.Conn
	br     *bufio.Reader
	number int
}

// startRaw starts a server that answers HELLO and then leaves the connection to serve.
func startRaw(t testing.TB, serve func(p *peer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{Listener: l}
	var mu sync.Mutex
	open := map[net.Conn]struct{}{}
	r.wg.Go(func() {
		for number := 0; ; number++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = struct{}{}
			mu.Unlock()
			r.wg.Go(func() {
				defer c.Close()
				p := &peer{Conn: c, br: bufio.NewReader(c), number: number}
				if args, err := p.read(); err != nil || args[0] != "HELLO" {
					return
				}
				io.WriteString(c, "%1\r\n+proto\r\n:3\r\n")
				serve(p)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		r.wg.Wait()
	})
	return l.Addr().String()
}

// read reads one command.
func (p *peer) read() ([]string, error) {
	var n int
	if _, err := fmt.Fscanf(p.br, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		head, err := p.br.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.Atoi(head[1 : len(head)-2])
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(p.br, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func (p *peer) say(s string) error {
	_, err := io.WriteString(p.Conn, s)
	return err
}

// drain reads until the other side hangs up.
func (p *peer) drain() { io.Copy(io.Discard, p.br) }
