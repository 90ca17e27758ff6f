package service

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/valkeybatch/valkeybatch/internal/auth"
)

// Admission bounds what is carried out at once, by number and by size. Those who do not fit
// are refused at once, not queued: a queue would spend the caller's time and the server's
// memory on work that may no longer be wanted when its turn comes.
type Admission struct {
	maxBatches, maxBytes int64

	rate *rate.Limiter // nil: without a limit

	mu             sync.Mutex
	batches, bytes int64
}

// NewAdmission returns an Admission for so many batches and so many bytes, and for so many batches
// begun in a second; 0: any number.
func NewAdmission(maxBatches, maxBytes int64, perSecond int) *Admission {
	return &Admission{maxBatches: maxBatches, maxBytes: maxBytes, rate: auth.Rate(perSecond)}
}

// Acquire admits a batch of the given size, or returns an [*OverloadError]. Release must be
// called once, with the same size, when the batch has ended.
func (a *Admission) Acquire(size int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.batches+1 > a.maxBatches {
		return &OverloadError{What: "batches in flight", Setting: SettingInFlightBatches, Actual: a.batches + 1, Allowed: a.maxBatches}
	}
	if allowed := a.allowed(size); a.bytes+size > allowed {
		return &OverloadError{What: "request bytes in flight", Setting: SettingInFlightBytes, Actual: a.bytes + size, Allowed: allowed}
	}
	if a.rate != nil {
		if wait := auth.Take(a.rate, time.Now()); wait > 0 {
			allowed := int64(a.rate.Limit())
			return &OverloadError{What: "batches per second", Setting: SettingBatchesPerSecond, Actual: allowed + 1, Allowed: allowed, Retry: wait}
		}
	}
	a.batches++
	a.bytes += size
	return nil
}

// allowed is how many bytes may be in flight with a batch of the given size. Small batches have an
// eighth more than others: those who send much cannot take everything from those who do not.
func (a *Admission) allowed(size int64) int64 {
	if size <= min(smallMessage, a.maxBytes/64) {
		return a.maxBytes + a.maxBytes/8
	}
	return a.maxBytes
}

// InFlight returns what is admitted at this moment.
func (a *Admission) InFlight() (batches, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.batches, a.bytes
}

// Release ends a batch that was admitted.
func (a *Admission) Release(size int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batches--
	a.bytes -= size
}

// OverloadError says that the server is at its load. Nothing has been sent; the same request
// may be admitted a moment later.
type OverloadError struct {
	// What names the bound that was met.
	What string
	// Setting is the server's setting that sets it.
	Setting string
	// Actual is the figure with this request included and Allowed the bound.
	Actual, Allowed int64
	// Retry is when there will be room; 0: it is not known.
	Retry time.Duration
}

// Error implements error.
func (e *OverloadError) Error() string {
	return fmt.Sprintf("the server is at its load: %s: %d with this one, %d are allowed%s", e.What, e.Actual, e.Allowed, setBy(e.Setting))
}

// calls counts calls of a kind that are open.
type calls struct {
	what string
	max  int64
	open atomic.Int64
}

// begin counts a call that begins and returns how many there are, or returns an [*OverloadError]. end
// must be called once for each that was counted.
func (c *calls) begin() (open int64, err error) {
	if open = c.open.Add(1); open > c.max {
		c.open.Add(-1)
		return 0, &OverloadError{What: c.what, Setting: SettingStreams, Actual: open, Allowed: c.max}
	}
	return open, nil
}

func (c *calls) end() { c.open.Add(-1) }
