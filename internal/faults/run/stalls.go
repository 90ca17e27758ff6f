package run

import (
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/history"
)

const (
	// beat is how often it is looked whether the machine goes on.
	beat = 20 * time.Millisecond
	// stalled is how late a beat is that tells of a machine that stood still.
	stalled = 250 * time.Millisecond
)

// stalls takes note, until stop is closed, of when this process was not given any time: whatever
// was late then says nothing of the subject. Stalls are no faults of the run's.
func stalls(began time.Time, stop <-chan struct{}) (found []history.Fault) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-stop:
			return found
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(last) > stalled {
			found = append(found, history.Fault{
				Name: "the machine stood still", Start: last.Sub(began), End: now.Sub(began),
				Effects: history.Effects{Hangs: true, Machine: true},
			})
		}
		last = now
	}
}
