package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds whatever a test waits for.
const patience = 20 * time.Second

// echo starts a server that says a name and then what it hears.
func echo(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				if _, err := io.WriteString(c, name); err == nil {
					_, _ = io.Copy(c, c)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	return l.Addr().String()
}

func listen(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := Listen("127.0.0.1:0", target, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

func say(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("heard %q, %v; want %q", b[:n], err, want)
	}
}

func set(t *testing.T, p *Proxy, c Condition) {
	t.Helper()
	if err := p.Set(c); err != nil {
		t.Fatal(err)
	}
}

func TestPassesBothWaysAndEnds(t *testing.T) {
	p := listen(t, echo(t, "a"))
	c := dial(t, p)
	hear(t, c, "a")
	big := string(bytes.Repeat([]byte("0123456789"), 100_000))
	go func() { _, _ = io.WriteString(c, big) }()
	hear(t, c, big)
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	eventually(t, "the link to end", func() bool { return p.Connections() == 0 })
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// What is sent into a network that lets nothing through arrives when it does again, on
// connections from before and on those that were made meanwhile.
func TestWithheldArrivesLater(t *testing.T) {
	p := listen(t, echo(t, "a"))
	before := dial(t, p)
	hear(t, before, "a")
	set(t, p, Condition{Withheld: true})
	say(t, before, "late")
	meanwhile := dial(t, p)
	say(t, meanwhile, "too")
	for _, c := range []net.Conn{before, meanwhile} {
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("heard %d bytes, %v", n, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
	}
	set(t, p, Condition{})
	hear(t, before, "late")
	hear(t, meanwhile, "atoo")
}

func TestRefuses(t *testing.T) {
	p := listen(t, echo(t, "a"))
	before := dial(t, p)
	hear(t, before, "a")
	set(t, p, Condition{Refuse: true})
	if c, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			c.Close()
		}
		t.Errorf("dialling: %v", err)
	}
	say(t, before, "still")
	hear(t, before, "still")
	set(t, p, Condition{})
	hear(t, dial(t, p), "a")
}

func TestResets(t *testing.T) {
	p := listen(t, echo(t, "a"))
	c := dial(t, p)
	hear(t, c, "a")
	if n := p.Reset(); n != 1 {
		t.Errorf("%d connections reset", n)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reading: %v, want a reset", err)
	}
}

// A reset comes after exactly so many bytes: to the client, or to the server.
func TestResetsAfterBytes(t *testing.T) {
	for name, c := range map[string]Condition{"down": {ResetDown: 1}, "up": {ResetUp: 1}} {
		t.Run(name, func(t *testing.T) {
			p := listen(t, echo(t, "a"))
			conn := dial(t, p)
			hear(t, conn, "a")
			set(t, p, c)
			say(t, conn, "bc")
			got, err := io.ReadAll(conn)
			if !errors.Is(err, syscall.ECONNRESET) || len(got) > 1 || (len(got) == 1 && got[0] != 'b') {
				t.Errorf("heard %q, %v", got, err)
			}
			if name == "down" && string(got) != "b" {
				t.Errorf("heard %q before the reset, want one byte", got)
			}
		})
	}
}

func TestDelaysAndThrottles(t *testing.T) {
	p := listen(t, echo(t, "a"))
	c := dial(t, p)
	hear(t, c, "a")
	set(t, p, Condition{Latency: 50 * time.Millisecond})
	start := time.Now()
	say(t, c, "x")
	hear(t, c, "x")
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("there and back took %v", took)
	}
	set(t, p, Condition{Rate: 100_000})
	start = time.Now()
	big := string(make([]byte, 30_000))
	say(t, c, big)
	hear(t, c, big)
	if took := time.Since(start); took < 250*time.Millisecond {
		t.Errorf("30,000 bytes at 100,000 a second took %v", took)
	}
}

func TestLeadsElsewhere(t *testing.T) {
	p := listen(t, echo(t, "a"))
	before := dial(t, p)
	hear(t, before, "a")
	p.Lead(echo(t, "b"))
	hear(t, dial(t, p), "b")
	say(t, before, "still")
	hear(t, before, "still")
}

func TestServerThatIsNotThere(t *testing.T) {
	p := listen(t, "127.0.0.1:1")
	c, err := net.Dial("tcp", p.Addr())
	if err == nil { // else the reset came first
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}
