package auth

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The keys of the file that set limits, as errors name them.
const (
	settingBatches = "max-in-flight-batches"
	settingBytes   = "max-in-flight-bytes"
	settingRate    = "max-batches-per-second"
)

// limits are what one identity may have in flight and begin; zero: any number.
type limits struct {
	batches, bytes int64
	perSecond      int
}

// quota is what an identity has in flight. It outlives versions of the file, so that a change of
// the file does not forget what is in flight.
type quota struct {
	mu             sync.Mutex
	limits         limits
	batches, bytes int64
	rate           *rate.Limiter // nil: without a limit
}

// set takes over the limits of a new version of the file.
func (q *quota) set(l limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.limits.perSecond != l.perSecond {
		q.rate = Rate(l.perSecond)
	}
	q.limits = l
}

// Rate returns a limiter for so many batches a second, as many of them at once; 0: nil, no limit.
func Rate(perSecond int) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), perSecond)
}

// Take takes a batch from a limiter, which may be nil. Where there is none to take it returns
// how long it will be until there is.
func Take(limiter *rate.Limiter, now time.Time) (wait time.Duration) {
	_, wait = reserve(limiter, now)
	return wait
}

// reserve is Take, with what can be given back; nil: nothing was taken.
func reserve(limiter *rate.Limiter, now time.Time) (taken *rate.Reservation, wait time.Duration) {
	if limiter == nil {
		return nil, 0
	}
	r := limiter.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return nil, wait
	}
	return r, 0
}

// Acquire admits a batch that counts as so many bytes, or returns a [*LimitError]. What is within
// the limits is then asked of admit, whose error is returned: a batch that it refuses takes nothing
// of the limits, the rate included. Release must be called once, with the same figure, when a batch
// that was admitted has ended. A batch that is larger than the limit on bytes is carried out alone.
// A nil Identity has no limits.
func (i *Identity) Acquire(bytes int64, admit func(bytes int64) error) error {
	if i == nil {
		return admit(bytes)
	}
	q := i.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.limits
	switch {
	case l.batches > 0 && q.batches+1 > l.batches:
		return &LimitError{Identity: i.Name, What: "batches in flight", Setting: settingBatches, Actual: q.batches + 1, Allowed: l.batches, Retry: retry}
	case l.bytes > 0 && q.batches > 0 && q.bytes+bytes > l.bytes:
		return &LimitError{Identity: i.Name, What: "request bytes in flight", Setting: settingBytes, Actual: q.bytes + bytes, Allowed: l.bytes, Retry: retry}
	}
	now := time.Now()
	begun, wait := reserve(q.rate, now)
	if wait > 0 {
		return &LimitError{Identity: i.Name, What: "batches per second", Setting: settingRate,
			Actual: int64(l.perSecond) + 1, Allowed: int64(l.perSecond), Retry: wait}
	}
	// Asked under the lock: what is given back after others' turns would be less than what was taken.
	if err := admit(bytes); err != nil {
		if begun != nil {
			begun.CancelAt(now)
		}
		return err
	}
	q.batches++
	q.bytes += bytes
	return nil
}

// retry is when to come back where a place becomes free as batches end.
const retry = 100 * time.Millisecond

// Release ends a batch that was admitted.
func (i *Identity) Release(bytes int64) {
	if i == nil {
		return
	}
	i.quota.mu.Lock()
	defer i.quota.mu.Unlock()
	i.quota.batches--
	i.quota.bytes -= bytes
}

// LimitError says that a caller is at one of its limits. Nothing was sent.
type LimitError struct {
	// Identity is the caller.
	Identity string
	// What names the limit and Setting the key in the file that sets it.
	What, Setting string
	// Actual is the figure with this batch included and Allowed the limit.
	Actual, Allowed int64
	// Retry is when to come back.
	Retry time.Duration
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s is at its limit: %s: %d with this one, %d are allowed (set by %s of the identity)",
		e.Identity, e.What, e.Actual, e.Allowed, e.Setting)
}
