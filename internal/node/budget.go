package node

import "sync/atomic"

// Budget bounds the reply bytes of one whole batch over all its sub-batches. It is safe for
// concurrent use; a nil Budget is without bounds.
type Budget struct {
	max  int64
	used atomic.Int64
}

// NewBudget returns a budget of so many bytes; zero or less: without bounds.
func NewBudget(maxBytes int64) *Budget { return &Budget{max: maxBytes} }

// Exceeded returns the bytes received so far, the bytes allowed (0: any number), and whether
// there were too many.
func (b *Budget) Exceeded() (used, maxBytes int64, exceeded bool) {
	if b == nil {
		return 0, 0, false
	}
	used = b.used.Load()
	return used, max(b.max, 0), b.max > 0 && used > b.max
}

// spend takes n bytes off the budget. It returns an error when that is too much.
func (b *Budget) spend(n int64) *LimitError {
	if b == nil {
		return nil
	}
	if used := b.used.Add(n); b.max > 0 && used > b.max {
		return &LimitError{What: LimitReplyBytes, Actual: used, Allowed: b.max}
	}
	return nil
}
