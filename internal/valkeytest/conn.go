package valkeytest

import (
	"context"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// Conn is one connection to a server, for what needs state (MULTI, SUBSCRIBE, ASKING, CLIENT
// PAUSE) or thousands of commands. It is not for concurrent use, and closed with the test.
type Conn struct {
	client *local.Client
	addr   string
}

// Dial opens a connection, as the server's own user.
func (s *Server) Dial(t testing.TB) *Conn {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	c, err := s.node.Dial(ctx)
	return newConn(t, s.Addr(), c, err)
}

// DialAs opens a connection as the given ACL user.
func (s *Server) DialAs(t testing.TB, user, password string) *Conn {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	c, err := local.Dial(ctx, s.Addr(), local.DialOptions{TLS: s.TLS(), Username: user, Password: password})
	return newConn(t, s.Addr(), c, err)
}

func newConn(t testing.TB, addr string, c *local.Client, err error) *Conn {
	t.Helper()
	if err != nil {
		t.Fatalf("valkeytest: connecting to %s: %v", addr, err)
	}
	t.Cleanup(c.Close)
	return &Conn{client: c, addr: addr}
}

// Do runs one command and returns its reply; pushes that come before it are dropped.
func (c *Conn) Do(t testing.TB, args ...string) resp.Frame {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	reply, err := c.client.Do(ctx, args...)
	return c.reply(t, reply, err)
}

// Send writes one command and reads no reply.
func (c *Conn) Send(t testing.TB, args ...string) {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	if err := c.client.Send(ctx, args...); err != nil {
		t.Fatalf("valkeytest: writing to %s: %v", c.addr, err)
	}
}

// Receive reads the next reply or push.
func (c *Conn) Receive(t testing.TB) resp.Frame {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	reply, err := c.client.Receive(ctx)
	return c.reply(t, reply, err)
}

// Silent fails the test when the server sends anything within d.
func (c *Conn) Silent(t testing.TB, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if reply, err := c.client.Receive(ctx); err == nil {
		t.Fatalf("valkeytest: %s sent %q", c.addr, reply)
	}
}

// Pipeline writes all commands at once and returns their replies in order.
func (c *Conn) Pipeline(t testing.TB, cmds ...[]string) []resp.Frame {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	var b []byte
	for _, cmd := range cmds {
		b = local.AppendCommand(b, cmd...)
	}
	// Writing goes on while replies are read: neither side's socket buffer holds it all.
	sent := make(chan error, 1)
	go func() { sent <- c.client.SendRaw(ctx, b) }()
	replies := make([]resp.Frame, 0, len(cmds))
	for range cmds {
		reply, err := c.client.Receive(ctx)
		if err != nil {
			c.client.Close()
			<-sent
		}
		replies = append(replies, c.reply(t, reply, err))
	}
	if err := <-sent; err != nil {
		t.Fatalf("valkeytest: writing to %s: %v", c.addr, err)
	}
	return replies
}

// Close closes the connection before the test ends.
func (c *Conn) Close() { c.client.Close() }

func (c *Conn) reply(t testing.TB, reply local.Reply, err error) resp.Frame {
	t.Helper()
	if err != nil {
		t.Fatalf("valkeytest: reading from %s: %v", c.addr, err)
	}
	return resp.Frame(reply)
}
