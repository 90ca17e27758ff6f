package wire

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/poison"
	"github.com/valkeybatch/valkeybatch/internal/stall"
)

// lease is a batch's share of the reply bytes in flight. It ends when the encoded response has
// been written to the connection, however slow its caller is to read: until then the response
// takes memory. gRPC gives buffers back when they are written and when their call is given
// up, but not always when the connection is lost; the garbage collector then ends the lease.
//
// It is the pool that the response's buffers come from, and ends with the last of them.
type lease struct {
	budget *node.Budget
	out    atomic.Int32 // buffers not given back
	watch  stall.Entry
}

// newLease returns a lease of what a batch took off its budget, with a first hold on it.
func newLease(budget *node.Budget) *lease {
	l := &lease{budget: budget}
	l.out.Store(1)
	if budget != nil {
		runtime.AddCleanup(l, (*node.Budget).Release, budget)
	}
	return l
}

// letGo ends one hold on the lease.
func (l *lease) letGo() {
	if l.out.Add(-1) == 0 {
		l.budget.Release()
		l.watch.Done()
	}
}

// Left implements stall.Item.
func (l *lease) Left() int64 { return int64(l.out.Load()) }

// buffers recycles segments of the largest size. Unlike gRPC's own pool it does not clear them.
var buffers = sync.Pool{New: func() any { b := make([]byte, maxSegment); return &b }}

// segmentKind is not strict: gRPC drops what a lost connection was to have sent.
var segmentKind = poison.NewKind("segments of responses", false)

// Get implements mem.BufferPool.
func (l *lease) Get(n int) *[]byte {
	l.out.Add(1)
	var b *[]byte
	if n == maxSegment {
		b = buffers.Get().(*[]byte)
	} else {
		own := make([]byte, n)
		b = &own
	}
	segmentKind.Took(*b)
	return b
}

// Put implements mem.BufferPool.
func (l *lease) Put(b *[]byte) {
	segmentKind.Gave(*b)
	if cap(*b) == maxSegment {
		*b = (*b)[:maxSegment]
		buffers.Put(b)
	}
	l.letGo()
}

// loan is a lease as the pool of buffers that belong to somebody else.
type loan lease

// Get implements mem.BufferPool. It is never called.
func (l *loan) Get(n int) *[]byte { return (*lease)(l).Get(n) }

// Put implements mem.BufferPool.
func (l *loan) Put(*[]byte) { (*lease)(l).letGo() }
