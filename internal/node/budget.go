package node

import "sync/atomic"

// Budget bounds the reply bytes of one whole batch over all its sub-batches. It is safe for
// concurrent use; a nil Budget is without bounds.
type Budget struct {
	max      int64
	used     atomic.Int64
	total    *Budget // of which this one takes its bytes too; nil: none
	released atomic.Bool
}

// NewBudget returns a budget of so many bytes; zero or less: without bounds.
func NewBudget(maxBytes int64) *Budget { return &Budget{max: maxBytes} }

// Within makes every byte that is taken off b be taken off total too, until Release. Total
// bounds the reply bytes of all batches at once; nil: without bounds. It returns b, and is
// called before b is used.
func (b *Budget) Within(total *Budget) *Budget {
	b.total = total
	return b
}

// Release gives what b took off its total back: its replies are no longer needed. What is
// still received is not counted any more. It may be called more than once.
func (b *Budget) Release() {
	if b == nil || b.total == nil {
		return
	}
	b.released.Store(true)
	b.giveBack()
}

func (b *Budget) giveBack() { b.total.used.Add(-b.used.Swap(0)) }

// Used is how many bytes are taken off b.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// smallReplies is the most reply bytes of a batch that counts as small.
const smallReplies = 64 << 10

// allowed is how much may be taken off a total when a batch has so much of it. Small batches have
// an eighth more than others: those who ask for much cannot take everything from those who do not.
func (b *Budget) allowed(used int64) int64 {
	if used <= min(smallReplies, b.max/64) {
		return b.max + b.max/8
	}
	return b.max
}

// Spend takes n bytes off the budget. It returns an error when that is too much.
func (b *Budget) Spend(n int64) *LimitError {
	if b == nil {
		return nil
	}
	used := b.used.Add(n)
	var total int64
	if b.total != nil {
		total = b.total.used.Add(n)
		if b.released.Load() {
			b.giveBack() // Release may have come between
			return nil
		}
	}
	if b.max > 0 && used > b.max {
		return &LimitError{What: LimitReplyBytes, Actual: used, Allowed: b.max}
	}
	if b.total != nil && b.total.max > 0 && total > b.total.allowed(used) {
		return &LimitError{What: LimitRepliesInFlight, Actual: total, Allowed: b.total.allowed(used)}
	}
	return nil
}
