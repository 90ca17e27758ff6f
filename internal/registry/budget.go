package registry

import "time"

// questionsPerSecond is how many names a process asks its deployment about, at most: in any
// second this many, after a quiet one twice as many. It is far more than a module's commands
// need that are used for the first time, and nothing to a server.
const questionsPerSecond = 32

// budget is what is left of the questions that may be asked. The zero value is a full one.
type budget struct {
	spent float64   // of questionsPerSecond, as of at
	at    time.Time // when spent was true
}

// left reports whether a question may be asked.
func (b *budget) left(now time.Time) bool {
	b.spent = max(0, b.spent-questionsPerSecond*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	return b.spent+1 <= questionsPerSecond
}

// take takes one question out of the budget, if there is one left.
func (b *budget) take(now time.Time) bool {
	if !b.left(now) {
		return false
	}
	b.spent++
	return true
}
