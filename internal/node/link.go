package node

import (
	"context"
	"slices"
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
	old  []*conn // replaced while somebody waited for them, the oldest first
}

// maxReplaced is how many connections that were replaced a link keeps for those who wait for
// them still. Every further one ends the oldest that is silent. One that still brings replies
// ends by itself, and to end it would cost others their results on a healthy node.
const maxReplaced = 4

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
			l.replace(c)
			continue
		}
		if err := b.wait(ctx); err != nil {
			c.abandon(b, interrupted(c.addr, "waiting for replies", err))
		}
		return
	}
}

// replace makes room for another connection in the place of one that takes nothing more.
func (l *link) replace(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cur.CompareAndSwap(c, nil) {
		return
	}
	l.old = slices.DeleteFunc(append(l.old, c), func(c *conn) bool { return c.failure() != nil })
	for i := 0; i < len(l.old) && len(l.old) > maxReplaced; {
		if old := l.old[i]; old.silent() {
			old.close(&ConnectionError{Addr: old.addr, Op: OpClose, Err: errHeldUp})
			l.old = slices.Delete(l.old, i, i+1)
		} else {
			i++
		}
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
		if err := l.node.awaitDial(ctx, d.done); err != nil {
			return nil, err
		}
		if d.err != nil {
			return nil, d.err
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
		c, err := l.node.dial(ctx, l.replica, false)
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
