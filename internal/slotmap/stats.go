package slotmap

import "time"

// Stats is what became of a [Map]'s refreshes so far.
type Stats struct {
	// Refreshes counts those that succeeded and Failures those that did not.
	Refreshes, Failures uint64
	// Refreshed is when the last that succeeded ended; zero: none has.
	Refreshed time.Time
}

// Stats returns what became of the refreshes so far.
func (m *Map) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Stats{Refreshes: m.ended - m.failed, Failures: m.failed, Refreshed: m.fresh}
}
