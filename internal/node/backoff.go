package node

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// gate keeps a node that cannot be reached from being dialled all the time: after a failure,
// whoever wants a new connection is told the last error until a pause is over.
type gate struct {
	least, most time.Duration
	failures    atomic.Int32 // in a row

	mu    sync.Mutex
	until time.Time
	err   error
}

// closed returns the last failure while its pause lasts.
func (g *gate) closed() error {
	if g.failures.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().Before(g.until) {
		return g.err
	}
	return nil
}

// hung returns the last failure if the node did not answer then, whether or not its pause is
// over; nil once a connection could be made.
func (g *gate) hung() error {
	if g.failures.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if lost := (*ConnectionError)(nil); errors.As(g.err, &lost) && lost.Timeout {
		return g.err
	}
	return nil
}

// failed begins a pause, twice as long as the last one. It reports whether the failure is
// the first since the node answered.
func (g *gate) failed(err error) (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.failures.Add(1)
	pause := g.most
	if n < 32 && g.least<<(n-1) < g.most {
		pause = g.least << (n - 1)
	}
	// Between half and the whole of it, so that many clients do not come back together.
	pause = pause/2 + rand.N(pause/2+1)
	g.until, g.err = time.Now().Add(pause), err
	return n == 1
}

// opened notes that a connection could be made. Whether it is of use shows later, so that the
// next pause is still the longer one.
func (g *gate) opened() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until, g.err = time.Time{}, nil
}

// answered notes that the node answers. It reports whether it had failed before.
func (g *gate) answered() (again bool) {
	return g.failures.Load() != 0 && g.failures.Swap(0) != 0
}
