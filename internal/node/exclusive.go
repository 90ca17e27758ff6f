package node

import (
	"context"
	"sync"
	"time"
)

// exclusive is a pool of connections that each serve one sub-batch at a time.
type exclusive struct {
	node  *Node
	limit chan struct{} // one token per connection in use
	// prepare makes a new connection ready, after the handshake.
	prepare func(ctx context.Context, c *conn) error
	patient bool // see conn.patient

	mu   sync.Mutex
	idle [2][]idleConn // plain and READONLY ones; the one used last is taken first
	age  int           // counts recycle; a connection of an older age is not kept
}

type idleConn struct {
	c     *conn
	since time.Time
}

// lease is a connection in use.
type lease struct {
	c    *conn
	from *exclusive
	kind int
	age  int
}

func kindOf(replica bool) int {
	if replica {
		return 1
	}
	return 0
}

// get returns a connection for the caller alone, waiting for one if too many are in use.
func (e *exclusive) get(ctx context.Context, replica bool) (*lease, error) {
	select {
	case e.limit <- struct{}{}:
	default:
		select {
		case e.limit <- struct{}{}:
		case <-ctx.Done():
			return nil, interrupted(e.node.addr, "waiting for a connection", ctx.Err())
		}
	}
	kind := kindOf(replica)
	c, age := e.take(kind)
	if c == nil {
		var err error
		if c, err = e.dial(ctx, replica, age); err != nil {
			return nil, err
		}
	}
	return &lease{c: c, from: e, kind: kind, age: age}, nil
}

// take returns an idle connection, nil if there is none.
func (e *exclusive) take(kind int) (*conn, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for n := len(e.idle[kind]); n > 0; n = len(e.idle[kind]) {
		c := e.idle[kind][n-1].c
		e.idle[kind][n-1] = idleConn{}
		e.idle[kind] = e.idle[kind][:n-1]
		if c.usable() {
			return c, e.age
		}
	}
	return nil, e.age
}

// dial opens a connection for a caller who has a token, which is given back when there is an
// error. When the caller stops waiting, the dial goes on with the token, so that dials are
// bounded too, and the connection is kept for the next caller.
func (e *exclusive) dial(ctx context.Context, replica bool, age int) (*conn, error) {
	if err := e.node.mayDial(); err != nil {
		<-e.limit
		return nil, err
	}
	d := &exclusiveDial{done: make(chan struct{})}
	if !e.node.pool.goDial(func(detached context.Context) {
		c, err := e.node.dial(detached, replica, e.patient)
		if err == nil && e.prepare != nil {
			within, cancel := context.WithTimeout(detached, e.node.pool.cfg.DialTimeout)
			err = e.prepare(within, c)
			cancel()
		}
		d.mu.Lock()
		d.c, d.err = c, err
		left := d.left
		close(d.done)
		d.mu.Unlock()
		if left && err == nil {
			e.keep(c, kindOf(replica), age)
		}
		if left || err != nil {
			<-e.limit
		}
	}) {
		<-e.limit
		return nil, e.node.errClosed()
	}
	if err := e.node.awaitDial(ctx, d.done); err != nil {
		if !d.leave() && d.err == nil {
			e.keep(d.c, kindOf(replica), age)
			<-e.limit
		}
		return nil, err
	}
	return d.c, d.err
}

// exclusiveDial is a dial under way and the caller who waits for it.
type exclusiveDial struct {
	done chan struct{} // closed when c and err are set

	mu   sync.Mutex
	left bool // the caller waits no more
	c    *conn
	err  error
}

// leave says that the caller waits no more. It reports false when the dial is done already.
func (d *exclusiveDial) leave() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.done:
		return false
	default:
		d.left = true
		return true
	}
}

// release ends a lease. A connection that is to be kept has nothing in flight.
func (l *lease) release(keep bool) {
	if keep {
		l.from.keep(l.c, l.kind, l.age)
	} else {
		l.c.close(&ConnectionError{Addr: l.c.addr, Op: OpClose, Err: ErrClosed})
	}
	<-l.from.limit
}

// keep puts a connection among the idle ones if it is still wanted.
func (e *exclusive) keep(c *conn, kind, age int) {
	e.mu.Lock()
	wanted := age == e.age && len(e.idle[kind]) < cap(e.limit)
	if wanted {
		e.idle[kind] = append(e.idle[kind], idleConn{c: c, since: time.Now()})
	}
	e.mu.Unlock()
	if !wanted {
		c.retire()
	}
}

// recycle closes the idle connections, and those in use when they are released.
func (e *exclusive) recycle() {
	e.mu.Lock()
	e.age++
	e.mu.Unlock()
	e.prune(time.Time{})
}

// prune closes what has been idle since before the given time; everything if it is zero.
func (e *exclusive) prune(before time.Time) {
	var old []*conn
	e.mu.Lock()
	for kind, idle := range e.idle {
		kept := idle[:0]
		for _, i := range idle {
			if before.IsZero() || i.since.Before(before) || !i.c.usable() {
				old = append(old, i.c)
			} else {
				kept = append(kept, i)
			}
		}
		clear(idle[len(kept):])
		e.idle[kind] = kept
	}
	e.mu.Unlock()
	for _, c := range old {
		c.retire()
	}
}

// do carries out a batch on a connection to itself.
func (e *exclusive) do(ctx context.Context, replica bool, b *Batch) {
	for {
		l, err := e.get(ctx, replica)
		if err != nil {
			b.refuse(err)
			return
		}
		queued, err := l.c.submit(ctx, b)
		switch {
		case err != nil:
			l.release(false)
			b.refuse(err)
			return
		case !queued:
			l.release(false)
			continue
		}
		l.c.awaitOrClose(ctx, b)
		l.release(b.err == nil && b.restored())
		return
	}
}
