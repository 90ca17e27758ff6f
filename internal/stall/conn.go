package stall

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a caller's connection.
type conn struct {
	net.Conn
	addr    addr
	options *Options
	give    func() // gives its place back

	// Of the reader alone.
	at     boundary
	within bool // the reader has a part of a frame that was put in

	// urgent says that there is something in inject, or that the reader was woken for it.
	urgent atomic.Bool

	// wrote counts the writes that ended well.
	wrote atomic.Int64

	mu       sync.Mutex // guards the fields below
	inject   []byte     // frames that the reader is to find
	deadline time.Time  // gRPC's own for reading
	sending  list
	timer    *time.Timer
	looking  bool // the timer runs
	closed   bool
}

// addr is a connection's remote address, by which calls find their connection.
type addr struct {
	net.Addr
	conn *conn
}

func newConn(c net.Conn, options *Options) *conn {
	w := &conn{Conn: c, options: options}
	w.addr = addr{Addr: c.RemoteAddr(), conn: w}
	return w
}

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return &c.addr }

// Read implements net.Conn. Between two frames of the client it puts in those that are waiting.
func (c *conn) Read(p []byte) (int, error) {
	for {
		if c.urgent.Load() && (c.within || c.at.between()) {
			if n := c.injected(p); n > 0 {
				return n, nil
			}
		}
		n, err := c.Conn.Read(p)
		c.at.pass(p[:n])
		if n == 0 && err != nil && c.urgent.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			// It was woken. If that is within a frame, what waits goes in behind it.
			if c.restoreDeadline() {
				continue
			}
		}
		return n, err
	}
}

// Write implements net.Conn. Who is written to takes something.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		c.wrote.Add(1)
	}
	return n, err
}

// injected moves waiting frames to p, as many as have room.
func (c *conn) injected(p []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(p, c.inject)
	c.inject = c.inject[n:]
	c.within = len(c.inject)%len(windowUpdate{}) != 0
	if len(c.inject) == 0 {
		c.inject = nil
		_ = c.Conn.SetReadDeadline(c.deadline)
		c.urgent.Store(false)
	}
	return n
}

// restoreDeadline sets gRPC's own deadline again. It reports false when that one has passed.
func (c *conn) restoreDeadline() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.Conn.SetReadDeadline(c.deadline)
	return c.deadline.IsZero() || time.Now().Before(c.deadline)
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetDeadline(t)
}

// windowUpdate is a WINDOW_UPDATE of nothing for a stream: to the server a mistake of the caller
// for which RFC 9113 has it end the stream, and no other (section 6.9.1).
type windowUpdate [frameHeaderLen + 4]byte

// reset ends a call.
func (c *conn) reset(stream uint32) {
	frame := windowUpdate{2: 4, 3: 8, 5: byte(stream >> 24), 6: byte(stream >> 16), 7: byte(stream >> 8), 8: byte(stream)}
	c.inject = append(c.inject, frame[:]...)
	c.urgent.Store(true)
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
}

// Close implements net.Conn. What was being sent is no longer watched, so that it can be collected.
func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	for e := c.sending.first; e != nil; {
		next := e.next
		e.conn.Store(nil)
		e.item, e.next, e.prev = nil, nil, nil
		e = next
	}
	c.sending = list{}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.give()
	return c.Conn.Close()
}
