package node

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Node is one node, by its address. It is safe for concurrent use.
type Node struct {
	addr     string
	pool     *Pool
	gate     gate
	gone     atomic.Bool
	probing  atomic.Bool
	dials    dialCounts
	links    [2][2]link // by class (Ordinary, Bulk) and replica
	alone    exclusive
	blocking exclusive
	atomic   exclusive
}

func newNode(p *Pool, addr string) *Node {
	n := &Node{addr: addr, pool: p, gate: gate{least: p.cfg.BackoffMin, most: p.cfg.BackoffMax}}
	for class := range n.links {
		for kind := range n.links[class] {
			n.links[class][kind].node = n
			n.links[class][kind].replica = kind == kindOf(true)
		}
	}
	n.alone.node, n.alone.limit = n, make(chan struct{}, p.cfg.MaxExclusiveConns)
	n.blocking.node, n.blocking.limit = n, make(chan struct{}, p.cfg.MaxBlockingConns)
	n.atomic.node, n.atomic.limit = n, make(chan struct{}, p.cfg.MaxAtomicConns)
	n.atomic.prepare = prime
	n.blocking.patient = true
	return n
}

// Addr returns the node's address as it was given to Pool.Get.
func (n *Node) Addr() string { return n.addr }

// Do carries out a sub-batch. It returns when every command is answered or nothing more will
// be known of them: the connection was lost, the context ended, a limit was broken. What came
// of it is in the batch; when the context ends Do returns at once, and what was not written by
// then is not written any more unless the sub-batch's turn to be written had come.
//
// An Atomic sub-batch is one transaction. MULTI was sent and answered on its connection
// before; the commands, EXEC, and the MULTI for the connection's next transaction go in one
// write, so that commands never run outside of a transaction. A queue-time error makes EXEC
// answer EXECABORT.
func (n *Node) Do(ctx context.Context, t Target, b *Batch) {
	if b.count == 0 {
		return
	}
	if err := ctx.Err(); err != nil {
		b.refuse(interrupted(n.addr, "starting", err))
		return
	}
	switch t.Class {
	case Exclusive:
		n.alone.do(ctx, t.Replica, b)
	case Blocking:
		n.blocking.do(ctx, t.Replica, b)
	case Atomic:
		n.atomic.doAtomic(ctx, t, b)
	case Bulk:
		n.links[1][kindOf(t.Replica)].do(ctx, b)
	default:
		n.links[0][kindOf(t.Replica)].do(ctx, b)
	}
	n.finished(b)
}

// finished takes note of what came of a sub-batch.
func (n *Node) finished(b *Batch) {
	if b.err == nil {
		n.answered()
	}
}

// answered takes note that the node answers.
func (n *Node) answered() {
	if n.gate.answered() {
		n.pool.cfg.Logger.Info("a node can be reached again", "node", n.addr)
	}
}

// Recycle makes new sub-batches use fresh connections. Those in flight finish on the old ones,
// which are closed then. It is for when the address seems to lead to another server by now.
func (n *Node) Recycle() {
	for class := range n.links {
		for kind := range n.links[class] {
			n.links[class][kind].recycle()
		}
	}
	n.alone.recycle()
	n.blocking.recycle()
	n.atomic.recycle()
}

// retire lets what is in flight finish; new sub-batches are refused.
func (n *Node) retire() {
	n.gone.Store(true)
	n.Recycle()
}

func (n *Node) errClosed() error {
	return &ConnectionError{Addr: n.addr, Op: OpClose, Err: ErrClosed}
}

// mayDial returns an error if the node is not to be dialled now.
func (n *Node) mayDial() error {
	if n.gone.Load() {
		return n.errClosed()
	}
	return n.gate.closed()
}

// probeTime is how long a dial of a node is waited for that did not answer the dial before.
const probeTime = 250 * time.Millisecond

// awaitDial waits for a dial of the node that is under way to be done. It returns an error when
// the context ends first, and when the node seems to hang as it did before: such a dial goes on
// to see whether the node is back, and nobody has to wait it out.
func (n *Node) awaitDial(ctx context.Context, done <-chan struct{}) error {
	var enough <-chan time.Time
	hung := n.gate.hung()
	if hung != nil {
		timer := time.NewTimer(probeTime)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-done:
		return nil
	case <-enough:
		return hung
	case <-ctx.Done():
		return interrupted(n.addr, "connecting", ctx.Err())
	}
}

// dial opens a connection and keeps the books on failures.
func (n *Node) dial(ctx context.Context, replica, patient bool) (*conn, error) {
	c, err := n.open(ctx, replica, patient)
	n.dials.count(err)
	switch {
	case err == nil && n.gone.Load():
		c.retire()
		return nil, n.errClosed()
	case err == nil:
		n.gate.opened()
	case !errors.Is(err, ErrClosed):
		n.failed(err)
	}
	return c, err
}

// failed keeps callers from dialling the node for a while.
func (n *Node) failed(err error) {
	if n.gate.failed(err) {
		n.pool.cfg.Logger.Warn("a node cannot be reached", "node", n.addr, "error", err)
	}
}

// lost takes note of a connection that has ended.
func (n *Node) lost(c *conn) {
	err := c.failure()
	var connection *ConnectionError
	if !errors.As(err, &connection) || (connection.Op != OpLost && connection.Op != OpProtocol) {
		return
	}
	n.dials.lost.Add(1)
	if connection.Op == OpProtocol {
		n.pool.cfg.Logger.Warn("a node broke the protocol; its connection was closed", "node", n.addr, "error", err)
	}
	if c.useless() {
		n.failed(err) // else a server that hangs up at once would be dialled at once
	}
}

// prune closes exclusive connections that have been idle since before the given time.
func (n *Node) prune(before time.Time) {
	n.alone.prune(before)
	n.blocking.prune(before)
	n.atomic.prune(before)
}
