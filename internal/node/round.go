package node

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// Round is sub-batches for several nodes that one goroutine sends off and waits for together.
// It does what Node.Do does for each of them, without a goroutine for each. It is used by one
// goroutine: Start for each sub-batch, then Wait, which leaves it ready for another round.
type Round struct {
	started []started
	left    atomic.Int32  // sub-batches that are not settled
	limited atomic.Bool   // one of them broke a limit
	wake    chan struct{} // tells the waiter to look
}

// started is a sub-batch under way.
type started struct {
	node *Node
	c    *conn
	b    *Batch
	turn turn
	soft bool
}

func (r *Round) init() {
	if r.wake == nil {
		r.wake = make(chan struct{}, 1)
	}
}

// Start queues a sub-batch on the node's shared connection if there is one that takes it at
// once. It reports false otherwise, and of classes that have no shared connection: such a
// sub-batch is for Node.Do. A soft one is given up at the soft end of Wait.
func (r *Round) Start(n *Node, t Target, b *Batch, soft bool) bool {
	if b.count == 0 || t.Class > Bulk {
		return false
	}
	c := n.links[t.Class][kindOf(t.Replica)].cur.Load()
	if c == nil {
		return false
	}
	r.init()
	b.join(r)
	turn, ok := c.start(b)
	if !ok {
		b.part()
		return false
	}
	r.started = append(r.started, started{node: n, c: c, b: b, turn: turn, soft: soft})
	return true
}

// Flush writes what Start queued. Until then others who queue on the same connections wait for
// it, so it follows right after.
func (r *Round) Flush() {
	busy := false
	for i := range r.started {
		busy = busy || r.started[i].turn.busy
	}
	if busy {
		runtime.Gosched() // see turn.write
	}
	for i := range r.started {
		r.started[i].turn.now()
		r.started[i].turn = turn{}
	}
}

// Wait waits until what became of every sub-batch is known, or the context ends, or end fires,
// which counts as a deadline. Soft ones are given up when softEnd fires, all others when one
// breaks a limit, which is the end of their batch. What came of each is in the sub-batch, as
// after Node.Do.
func (r *Round) Wait(ctx context.Context, softEnd, end <-chan time.Time) {
	r.init()
	for r.left.Load() > 0 {
		select {
		case <-r.wake:
			if r.limited.Load() {
				r.abandon(context.Canceled, false)
			}
		case <-softEnd:
			softEnd = nil
			r.abandon(context.DeadlineExceeded, true)
		case <-end:
			r.abandon(context.DeadlineExceeded, false)
		case <-ctx.Done():
			r.abandon(ctx.Err(), false)
		}
	}
	select { // what was told meanwhile is of no interest to the next round
	case <-r.wake:
	default:
	}
	for i := range r.started {
		r.started[i].node.finished(r.started[i].b)
	}
	clear(r.started)
	r.started = r.started[:0]
	r.limited.Store(false)
}

// abandon gives up what is not settled; only what is soft, if so.
func (r *Round) abandon(cause error, soft bool) {
	for i := range r.started {
		if s := &r.started[i]; s.soft || !soft {
			s.c.abandon(s.b, interrupted(s.c.addr, "waiting for replies", cause))
		}
	}
}

// settled takes note that one sub-batch is.
func (r *Round) settled() {
	if r.left.Add(-1) == 0 {
		r.nudge()
	}
}

// nudge makes the waiter look. One nudge too many does no harm.
func (r *Round) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
