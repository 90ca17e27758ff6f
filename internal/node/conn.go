package node

import (
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// drainTime is how long replies are still read after a write has failed: what the server
// answered before it hung up is in the socket already.
const drainTime = time.Second

// silence is how long a connection on which replies are due may bring nothing before those
// who come later are given another one. The node hangs, or a command holds up the connection.
const silence = time.Second

// epoch and clock tell the time in nanoseconds, untouched by changes of the wall clock.
var epoch = time.Now()

func clock() int64 { return int64(time.Since(epoch)) }

// conn is one connection. Sub-batches queue on it in the order of their replies; the queue
// begins with those written or being written, and ends with the fresh ones.
//
// The outcome of what is in flight when it fails is settled once both the reader and whoever
// is writing have let go, so that every reply and every written byte is counted.
type conn struct {
	addr string
	nc   net.Conn        // what is read and written: TLS or plain
	sock net.Conn        // the transport, to be closed
	raw  syscall.RawConn // for writes that do not block; nil if there are none
	cfg  *Config
	out  output
	// patient is whether its commands may wait, so that silence says nothing.
	patient bool
	// suspected is when it was first found overdue, zero while it is not; for Pool.watch alone.
	suspected time.Time

	mu         sync.Mutex
	head, tail *Batch
	fresh      *Batch // the first that no writer has begun with
	room       room
	writing    bool // somebody is writing, or about to
	reading    bool // the reader has not ended
	retired    bool // takes nothing new; closes when nobody waits for it any more
	err        error
	ended      chan struct{} // closed when failed and settled
	ready      bool          // the handshake is over
	busy       int64         // when the queue was last empty, by clock

	answered atomic.Bool  // something was answered since the handshake
	heard    atomic.Int64 // when something was received last, by clock
}

func newConn(addr string, sock, nc net.Conn, cfg *Config) *conn {
	c := &conn{addr: addr, nc: nc, sock: sock, cfg: cfg, ended: make(chan struct{}), reading: true}
	c.room = room{batches: cfg.MaxInFlight, bytes: cfg.MaxInFlightBytes}
	if _, encrypted := nc.(*tls.Conn); !encrypted {
		if sc, ok := nc.(syscall.Conn); ok {
			if raw, err := sc.SyscallConn(); err == nil {
				c.raw = raw
			}
		}
	}
	c.out.init()
	return c
}

// usable reports whether the connection takes new sub-batches.
func (c *conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && !c.retired
}

// failure returns why the connection ended, nil while it has not.
func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// markReady notes that what comes from here on is sub-batches.
func (c *conn) markReady() {
	c.mu.Lock()
	c.ready = true
	c.answered.Store(false)
	c.mu.Unlock()
}

// useless reports whether the connection answered nothing after its handshake.
func (c *conn) useless() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready && !c.answered.Load()
}

// neverRead ends a connection whose reader was not started.
func (c *conn) neverRead(err error) {
	c.mu.Lock()
	c.fail(err)
	c.reading = false
	c.sock.Close()
	c.settleAll()
	c.mu.Unlock()
}

// turn is a caller's turn at writing what is queued on a connection. The zero turn is nobody's.
type turn struct {
	c    *conn
	busy bool
}

// write takes the turn. When others are waiting for replies, more is likely to be queued in a
// moment: one write then does for all of it, and the server reads and answers it together.
func (t turn) write() {
	if t.busy {
		runtime.Gosched()
	}
	t.now()
}

// now takes the turn at once.
func (t turn) now() {
	if t.c != nil {
		t.c.callerWrite()
	}
}

// enqueue puts a batch into the queue. When nobody is writing it is the caller's turn to, which
// others who queue now rely on. c.mu is held and is released.
func (c *conn) enqueue(b *Batch) turn {
	if b.round == nil {
		b.join(&b.own)
	}
	if cap(b.replies) < len(b.ends) {
		b.replies = make([]resp.Frame, len(b.ends))
	}
	b.replies = b.replies[:len(b.ends)]
	b.prev, b.next = c.tail, nil
	if c.tail == nil {
		c.head, c.busy = b, clock()
	} else {
		c.tail.next = b
	}
	c.tail = b
	if c.fresh == nil {
		c.fresh = b
	}
	if c.writing {
		c.mu.Unlock()
		return turn{}
	}
	c.writing = true
	t := turn{c: c, busy: c.head != b}
	byCaller := c.byCaller(b)
	c.mu.Unlock()
	if !byCaller {
		go c.writeLoop()
		return turn{}
	}
	return t
}

// unlink takes a batch out of the queue. c.mu is held.
func (c *conn) unlink(b *Batch) {
	if c.fresh == b {
		c.fresh = b.next
	}
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		c.head = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	} else {
		c.tail = b.prev
	}
	b.prev, b.next = nil, nil
	c.room.give(b)
}

// settle makes a batch's outcome final. c.mu is held.
func (b *Batch) settle(got, sent int, err error) {
	if b.settled {
		return
	}
	b.settled = true
	b.got, b.sent, b.err = got, sent, err
	if b.timed {
		b.settledAt = clock()
	}
	b.round.settled() // b may be another's from here on
}

// abandon settles a batch whose context has ended. It is taken out of the queue when no writer
// has begun with it; else the connection carries on with it and drops its replies. A silent
// connection is retired, so that no more batches queue up on it.
func (c *conn) abandon(b *Batch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case b.settled:
	case !b.taken:
		c.unlink(b)
		b.settle(0, 0, err)
	default:
		got := int(b.answered.Load()) // before replies are dropped, which count as answered too
		b.discard.Store(true)
		b.settle(got, b.size, err)
	}
	c.givenUp()
}

// givenUp takes note that somebody stopped waiting for the connection. c.mu is held.
func (c *conn) givenUp() {
	if c.silentLocked() {
		c.retireLocked()
	}
	c.closeDeserted()
}

// silent reports whether replies are due on the connection and nothing has come for a while.
func (c *conn) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silentLocked()
}

// silentLocked is silent while c.mu is held.
func (c *conn) silentLocked() bool {
	return c.head != nil && clock()-max(c.busy, c.heard.Load()) >= int64(silence)
}

// fail marks the connection as failed; the first reason counts. c.mu is held.
func (c *conn) fail(err error) {
	if c.err == nil {
		c.err = err
		c.room.turnAway()
	}
}

// close ends the connection at once with the reason given.
func (c *conn) close(err error) {
	c.mu.Lock()
	c.fail(err)
	c.mu.Unlock()
	c.sock.Close()
}

// retire lets finish what somebody waits for and closes the connection then.
func (c *conn) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retireLocked()
}

// retireLocked is retire while c.mu is held.
func (c *conn) retireLocked() {
	if c.retired || c.err != nil {
		return
	}
	c.retired = true
	c.room.turnAway()
	c.closeDeserted()
}

// closeDeserted closes a retired connection once nobody waits for it. c.mu is held.
func (c *conn) closeDeserted() {
	if !c.retired || c.err != nil {
		return
	}
	for b := c.head; b != nil; b = b.next {
		if !b.settled {
			return
		}
	}
	c.fail(&ConnectionError{Addr: c.addr, Op: OpClose, Err: ErrClosed})
	c.sock.Close()
}

// settleAll settles what is in flight on a failed connection once reader and writer have both
// let go. c.mu is held.
func (c *conn) settleAll() {
	if c.err == nil || c.reading || c.writing {
		return
	}
	for b := c.head; b != nil; {
		next := b.next
		b.prev, b.next = nil, nil
		b.settle(int(b.answered.Load()), int(b.written.Load()), c.err)
		b = next
	}
	c.head, c.tail, c.fresh = nil, nil, nil
	close(c.ended)
}
