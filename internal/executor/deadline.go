package executor

import (
	"context"
	"sync"
	"time"
)

// deadlineContext is its parent with a deadline. Unlike context.WithDeadline it costs nothing
// until somebody asks for its channel, which a batch that meets no trouble never does: it
// waits for its replies with a timer of its own.
type deadlineContext struct {
	context.Context
	deadline time.Time

	mu     sync.Mutex
	inner  context.Context // once somebody has asked
	cancel context.CancelFunc
}

// Deadline implements context.Context.
func (c *deadlineContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *deadlineContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithDeadline(c.Context, c.deadline)
	}
	return c.inner.Done()
}

// Err implements context.Context.
func (c *deadlineContext) Err() error {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner != nil {
		if err := inner.Err(); err != nil {
			return err
		}
	}
	// The inner context learns of its end a moment after its parent and after the clock: by
	// then a batch that was woken by either of those would have been taken for a live one.
	if err := c.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. By it package context finds out that what is derived from c
// can be ended through the inner context.
func (c *deadlineContext) Value(key any) any {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner != nil {
		return inner.Value(key)
	}
	return c.Context.Value(key)
}

// stop lets go of what the context holds.
func (c *deadlineContext) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}
