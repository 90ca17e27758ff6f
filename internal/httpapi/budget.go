package httpapi

import "sync/atomic"

// budget counts bytes that all calls together hold.
type budget struct {
	max  int64
	used atomic.Int64
}

// take takes n bytes. If there are fewer it takes none, and returns how many would have been in
// use with them.
func (b *budget) take(n int64) (would int64, ok bool) {
	for {
		used := b.used.Load()
		if would = used + n; would > b.max {
			return would, false // others never see what was not taken
		}
		if b.used.CompareAndSwap(used, would) {
			return would, true
		}
	}
}

// give gives back what was taken.
func (b *budget) give(n int64) { b.used.Add(-n) }
