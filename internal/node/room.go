package node

import "context"

// room bounds what is in flight on a connection. Those who find none wait in line. The
// connection's mutex guards it.
type room struct {
	batches  int   // allowed
	bytes    int64 // allowed
	inFlight int
	used     int64
	line     []*waiter
}

// waiter is somebody waiting for room.
type waiter struct {
	size  int64
	in    bool          // room was given
	ready chan struct{} // closed when in, or turned away
}

// fits reports whether so many bytes more have room. A batch larger than the bound goes alone.
func (r *room) fits(size int64) bool {
	return r.inFlight == 0 || (r.inFlight < r.batches && r.used+size <= r.bytes)
}

func (r *room) take(size int64) {
	r.inFlight++
	r.used += size
}

// give returns a batch's room and lets in those who wait, in order.
func (r *room) give(b *Batch) {
	r.giveBack(int64(b.size))
}

func (r *room) giveBack(size int64) {
	r.inFlight--
	r.used -= size
	for len(r.line) > 0 && r.fits(r.line[0].size) {
		w := r.line[0]
		r.line[0] = nil
		r.line = r.line[1:]
		r.take(w.size)
		w.in = true
		close(w.ready)
	}
}

// turnAway wakes all who wait, without room.
func (r *room) turnAway() {
	for _, w := range r.line {
		close(w.ready)
	}
	r.line = nil
}

// leave takes a waiter out of the line, and gives back room that it was given meanwhile.
func (r *room) leave(w *waiter) {
	if w.in {
		r.giveBack(w.size)
		return
	}
	for i, x := range r.line {
		if x == w {
			r.line = append(r.line[:i], r.line[i+1:]...)
			return
		}
	}
}

// start queues a batch if there is room for it at once. The turn is the caller's to take.
func (c *conn) start(b *Batch) (t turn, ok bool) {
	size := int64(b.size)
	c.mu.Lock()
	if c.err != nil || c.retired || len(c.room.line) > 0 || !c.room.fits(size) {
		c.mu.Unlock()
		return turn{}, false
	}
	c.room.take(size)
	return c.enqueue(b), true
}

// submit queues a batch, waiting for room if need be. It reports false when the connection
// takes nothing any more, and an error when the context ended; the batch was not queued then.
func (c *conn) submit(ctx context.Context, b *Batch) (bool, error) {
	size := int64(b.size)
	c.mu.Lock()
	if c.err != nil || c.retired {
		c.mu.Unlock()
		return false, nil
	}
	if len(c.room.line) == 0 && c.room.fits(size) {
		c.room.take(size)
		c.enqueue(b).write()
		return true, nil
	}
	w := &waiter{size: size, ready: make(chan struct{})}
	c.room.line = append(c.room.line, w)
	c.mu.Unlock()
	var err error
	select {
	case <-w.ready:
	case <-ctx.Done():
		err = interrupted(c.addr, "waiting for room on the connection", ctx.Err())
	}
	c.mu.Lock()
	switch {
	case err != nil:
		c.room.leave(w)
		c.givenUp()
	case w.in && c.err == nil:
		c.enqueue(b).write()
		return true, nil
	}
	c.mu.Unlock()
	return false, err
}
