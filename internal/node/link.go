package node

import (
	"context"
	"sync"
	"sync/atomic"
)

// link is the place of one shared connection, which is dialled when it is needed and
// replaced when it is gone.
type link struct {
	node    *Node
	replica bool
	cur     atomic.Pointer[conn]

	mu   sync.Mutex
	dial *dialling
}

// dialling is a dial under way, shared by all who wait for it.
type dialling struct {
	done chan struct{}
	err  error // set before done is closed
}

// do carries out a batch on the shared connection.
func (l *link) do(ctx context.Context, b *Batch) {
	for {
		c, err := l.get(ctx)
		if err != nil {
			b.refuse(err)
			return
		}
		queued, err := c.submit(ctx, b)
		switch {
		case err != nil:
			b.refuse(err)
			return
		case !queued:
			l.cur.CompareAndSwap(c, nil)
			continue
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			c.abandon(b, interrupted(c.addr, "waiting for replies", ctx.Err()))
		}
		return
	}
}

// get returns the connection, dialling it if need be. The dial goes on when ctx ends, for
// those who come later.
func (l *link) get(ctx context.Context) (*conn, error) {
	for {
		if c := l.cur.Load(); c != nil {
			return c, nil
		}
		d, err := l.dialled()
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		select {
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, interrupted(l.node.addr, "connecting", ctx.Err())
		}
	}
}

// dialled returns the dial under way, beginning one if there is none; nil if there is a
// connection already.
func (l *link) dialled() (*dialling, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cur.Load() != nil:
		return nil, nil
	case l.dial != nil:
		return l.dial, nil
	}
	if err := l.node.mayDial(); err != nil {
		return nil, err
	}
	d := &dialling{done: make(chan struct{})}
	l.dial = d
	if !l.node.pool.goDial(func(ctx context.Context) {
		c, err := l.node.dial(ctx, l.replica)
		l.mu.Lock()
		if l.dial == d {
			l.dial = nil
			if err == nil {
				l.cur.Store(c)
			}
		} else if err == nil {
			c.retire() // recycled while it was dialled
		}
		d.err = err
		l.mu.Unlock()
		close(d.done)
	}) {
		l.dial = nil
		return nil, l.node.errClosed()
	}
	return d, nil
}

// recycle lets the connection go: the next batch gets a new one.
func (l *link) recycle() {
	l.mu.Lock()
	l.dial = nil
	c := l.cur.Swap(nil)
	l.mu.Unlock()
	if c != nil {
		c.retire()
	}
}
