package examples

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// link is a way to a server that can be cut while answers are on it.
type link struct {
	listener net.Listener
	server   string // the server's socket
	// holding keeps everything that the server sends from its clients.
	holding atomic.Bool
	mu      sync.Mutex
	open    []net.Conn
	running sync.WaitGroup
}

// newLink makes a link to the server on a unix socket. It ends with the test.
func newLink(t *testing.T, server string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, server: server}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		l.running.Wait()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", l.server)
		if err != nil {
			client.Close()
			continue
		}
		l.mu.Lock()
		l.open = append(l.open, client, server)
		l.mu.Unlock()
		l.running.Go(func() {
			_, _ = io.Copy(server, client) // until either is closed
			server.Close()
		})
		l.running.Go(func() {
			_, _ = io.Copy(heldBack{client, &l.holding}, server)
			client.Close()
		})
	}
}

// cut ends all connections. New ones hold nothing back.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		conn.Close()
	}
	l.open = nil
	l.holding.Store(false)
}

// heldBack writes to w, or to nowhere while it is holding.
type heldBack struct {
	w       io.Writer
	holding *atomic.Bool
}

func (h heldBack) Write(b []byte) (int, error) {
	if h.holding.Load() {
		return len(b), nil
	}
	return h.w.Write(b)
}
