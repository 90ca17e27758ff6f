package stall

import (
	"sync/atomic"
	"time"
)

// Item is a response on its way.
type Item interface {
	// Left is how much of it is not sent yet, in any unit. Zero: all is sent, or given up.
	Left() int64
}

// Entry is an item's place among those that are watched. It is part of the item, and its zero
// value is ready for use once.
type Entry struct {
	conn       atomic.Pointer[conn]
	item       Item
	stream     uint32
	left       int64
	since      time.Time // when left was last seen to change
	ended      bool      // the call was
	wrote      int64     // writes to the connection when it was
	prev, next *Entry
}

// Done ends the watch: the item is sent or given up. It may be called at any time, or never.
func (e *Entry) Done() {
	c := e.conn.Load()
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.conn.Swap(nil) != nil {
		c.sending.remove(e)
		e.item = nil
	}
}

// list is the entries of a connection.
type list struct{ first *Entry }

func (l *list) add(e *Entry) {
	e.next = l.first
	if e.next != nil {
		e.next.prev = e
	}
	l.first = e
}

func (l *list) remove(e *Entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
}

// watch begins to watch an entry. One look at all entries of the connection is due every now and
// then, so that a response that is read at once costs no timer.
func (c *conn) watch(e *Entry, item Item, stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	e.item, e.stream = item, stream
	e.left = -1 // not looked at yet
	e.conn.Store(c)
	if c.sending.first == nil {
		if c.timer == nil {
			c.timer = time.AfterFunc(c.options.Patience/looks, c.look)
		} else if !c.looking {
			c.timer.Reset(c.options.Patience / looks)
		}
		c.looking = true
	}
	c.sending.add(e)
}

// looks is how often the connection is looked at within the patience.
const looks = 8

// look ends the calls of which nothing was sent for too long, and then, where the connection does
// not even take that, the connection: whoever else has calls on it is not served either. Where it
// does take something, what is still not given up was lost: gRPC drops, without a word, what it is
// given to send for a call that the caller cancels at the same moment. Nobody holds that any more
// but the watch, so that the garbage collector finds it.
func (c *conn) look() {
	var told []uint32
	dead := false
	now := time.Now()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	wrote := c.wrote.Load()
	for e, next := c.sending.first, (*Entry)(nil); e != nil; e = next {
		next = e.next
		left := e.item.Left()
		switch {
		case left != e.left:
			e.left, e.since = left, now
		case now.Sub(e.since) < c.options.Patience:
		case !e.ended:
			e.ended, e.since, e.wrote = true, now, wrote
			told = append(told, e.stream)
			c.reset(e.stream)
		case wrote != e.wrote:
			e.conn.Store(nil)
			c.sending.remove(e)
			e.item = nil
		default:
			dead = true
		}
	}
	if c.looking = c.sending.first != nil; c.looking {
		c.timer.Reset(c.options.Patience / looks)
	}
	c.mu.Unlock()
	for range told {
		c.options.Ended(c.Conn.RemoteAddr(), false)
	}
	if dead {
		_ = c.Close()
		c.options.Ended(c.Conn.RemoteAddr(), true)
	}
}
