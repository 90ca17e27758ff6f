package node

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// maxDrained is how many bytes of replies that nobody waits for hold up those who come behind
// them. When there are more the connection is retired.
const maxDrained = 1 << 20

// reader hands replies to the batches that wait for them. It runs in one goroutine per
// connection and owns everything in it.
type reader struct {
	c     *conn
	chunk chunk
	scan  resp.Scanner
	cur   *Batch // the batch whose reply is next, nil if not looked up
	got   int    // replies that cur has
	spent int64  // bytes of cur's replies not yet taken off its budget
	skip  bool   // the frame being received is dropped
	drain int64  // bytes that were dropped since cur was given up
	pos   int    // of the bytes not scanned yet in chunk

	locked bool // the connection is, by the reader
}

// readLoop reads until the connection ends.
func (c *conn) readLoop() {
	r := &reader{c: c, scan: resp.Scanner{MaxDepth: c.cfg.MaxDepth}}
	err := r.run()
	c.mu.Lock()
	c.fail(err)
	c.reading = false
	c.sock.Close()
	c.settleAll()
	c.mu.Unlock()
}

func (r *reader) run() error {
	for {
		need := r.scan.Need()
		if r.skip {
			need = 0
		}
		buf := r.chunk.room(need, r.scan.Type() == resp.TypeBulk || r.scan.Type() == resp.TypeVerbatim)
		r.pos = r.chunk.end
		n, err := r.c.nc.Read(buf)
		if n > 0 {
			r.chunk.filled(n)
			r.c.heard.Store(clock())
			if err := r.guarded(); err != nil {
				return err
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errLost
			}
			return failed(r.c.addr, OpLost, err)
		}
	}
}

// guarded hands out the replies in what was read. A defect in that ends the connection and not
// the process, for all of what nodes send passes here; but for one met under the connection's
// lock, behind which nobody could go on.
func (r *reader) guarded() (failure error) {
	defer func() {
		if v := recover(); v != nil {
			if r.locked {
				panic(v)
			}
			r.c.cfg.Logger.Error("reading replies met a defect; the connection was closed",
				"node", r.c.addr, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			failure = &ConnectionError{Addr: r.c.addr, Op: OpLost, Err: errDefect}
		}
	}()
	err := r.take()
	r.publish()
	if err != nil {
		return &ConnectionError{Addr: r.c.addr, Op: OpProtocol, Err: err}
	}
	return nil
}

// lock and unlock lock the connection for a step that hands over replies.
func (r *reader) lock() {
	r.c.mu.Lock()
	r.locked = true
}

func (r *reader) unlock() {
	r.locked = false
	r.c.mu.Unlock()
}

// take scans what was read and hands out the replies in it.
func (r *reader) take() error {
	if r.cur != nil && r.cur.discard.Load() {
		r.skip = true // given up in the middle of a frame
	}
	for r.pos < r.chunk.end {
		if r.scan.AtStart() {
			r.chunk.start = r.pos
			if err := r.begin(r.chunk.buf[r.pos:r.chunk.end]); err != nil {
				return err
			}
		}
		n, done, err := r.scan.Scan(r.chunk.buf[r.pos:r.chunk.end])
		r.pos += n
		if !r.skip {
			r.spent += int64(n)
		} else if r.cur != nil && r.cur.discard.Load() {
			if r.drain += int64(n); r.drain > maxDrained {
				r.c.retire()
			}
		}
		if err != nil {
			return err
		}
		if r.scan.TooDeep() && !r.skip {
			r.limit(&LimitError{What: LimitReplyNesting, Actual: int64(r.c.cfg.MaxDepth) + 1, Allowed: int64(r.c.cfg.MaxDepth)})
		}
		if done {
			r.end()
		}
	}
	if r.skip && !r.scan.AtStart() {
		r.chunk.drop()
	} else if r.scan.AtStart() {
		r.chunk.start = r.chunk.end
	}
	return nil
}

// publish makes the replies so far known to those who settle the current batch.
func (r *reader) publish() {
	if r.cur == nil {
		return
	}
	r.account()
	if r.got > 0 {
		r.cur.answered.Store(int64(r.got))
		r.c.answered.Store(true)
	}
}

// begin decides whose frame it is that begins with b.
func (r *reader) begin(b []byte) error {
	if b[0] == resp.TypePush || b[0] == resp.TypeAttribute {
		r.skip = true // nobody asked for it
		return nil
	}
	if r.cur == nil {
		r.lock()
		if head := r.c.head; head != nil && head.taken {
			r.cur = head
		}
		r.unlock()
		r.got, r.spent, r.drain = 0, 0, 0
		if r.cur == nil {
			return &resp.ProtocolError{Reason: fmt.Sprintf("a reply to nothing: type %q, %d bytes so far", b[0], len(b))}
		}
	}
	r.skip = r.cur.discard.Load()
	r.scan.MaxDepth = r.c.cfg.MaxDepth
	if r.got == r.cur.count && len(r.cur.ends) > r.cur.count {
		r.scan.MaxDepth++ // EXEC's array is not the caller's: what counts are the replies in it
	}
	return nil
}

// end takes a complete frame.
func (r *reader) end() {
	if t := r.scan.Type(); t == resp.TypePush || t == resp.TypeAttribute {
		r.skip = false
		return
	}
	b := r.cur
	if !r.skip {
		r.chunk.took(r.pos - r.chunk.start)
		b.replies[r.got] = r.chunk.buf[r.chunk.start:r.pos:r.pos]
	}
	r.skip = false
	r.got++
	if r.got < len(b.ends) {
		return
	}
	r.account()
	b.answered.Store(int64(r.got))
	c := r.c
	c.answered.Store(true)
	r.lock()
	c.unlink(b)
	b.settle(r.got, b.size, nil)
	c.closeDeserted()
	r.unlock()
	r.cur = nil
}

// account takes what was received for the current batch off its budget.
func (r *reader) account() {
	n := r.spent
	r.spent = 0
	if n == 0 || r.cur.discard.Load() {
		return
	}
	if err := r.cur.budget.Spend(n); err != nil {
		r.limit(err)
	}
}

// limit settles the current batch with what it has; the rest of its replies is dropped. They
// are of unknown size, so that those who come later get another connection.
func (r *reader) limit(err *LimitError) {
	b := r.cur
	r.skip = true
	b.discard.Store(true)
	b.answered.Store(int64(r.got))
	r.lock()
	if !b.settled {
		round := b.round
		round.limited.Store(true) // before it is settled: the waiter may then be gone at once
		b.settle(r.got, b.size, err)
		round.nudge()
	}
	if r.got < len(b.ends) {
		r.c.retireLocked()
		r.c.closeDeserted()
	}
	r.unlock()
}
