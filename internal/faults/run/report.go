package run

import (
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// Report is what came of a run.
type Report struct {
	Name, Subject string
	Seed          uint64
	Batches       int
	Commands      int
	Faults        int
	// Stalls counts how often the machine stood still.
	Stalls int
	// Outcomes counts commands by outcome.
	Outcomes [4]int
	// Failed counts batches that failed as a whole, Late those of them whose time was up.
	Failed, Late int
	Lost, Twice  int
	Violations   []check.Violation
	// Overdue is the longest that a batch was answered after its deadline.
	Overdue time.Duration
	// Recovery is the longest after a promotion that all nodes saw that a batch began and failed.
	Recovery time.Duration
	Promoted int
	// Calm and Healthy are latencies of batches of one slot that wait for nothing: while there was
	// no fault, and of healthy shards while there was one elsewhere. Batches of several slots are
	// mostly concerned by a fault, so what is left of them then is unlike what there is otherwise.
	Calm, Healthy Latency
}

// Latency is how long batches took.
type Latency struct {
	Batches       int
	P50, P99, Max time.Duration
}

// ByRule counts the violations of each rule.
func (r *Report) ByRule() map[string]int {
	n := make(map[string]int)
	for _, v := range r.Violations {
		n[v.Rule]++
	}
	return n
}

func newReport(name string, o Options, h *history.History, found *check.Findings) *Report {
	r := &Report{
		Name: name, Subject: o.Maker.Name, Seed: o.Seed,
		Batches: len(h.Batches),
		Lost:    found.Lost, Twice: found.Twice, Violations: found.Violations,
	}
	var calm, healthy []time.Duration
	for i := range h.Batches {
		b := &h.Batches[i]
		r.Commands += len(b.Commands)
		for j := range b.Commands {
			r.Outcomes[b.Of(j)]++
		}
		if b.Failure != nil && !b.Cancelled {
			r.Failed++
			if b.Failure.Late {
				r.Late++
			}
		}
		r.Overdue = max(r.Overdue, b.End-b.Start-b.Timeout)
		if !simple(b) {
			continue
		}
		switch met, touched := meets(h, b); {
		case !met:
			calm = append(calm, b.End-b.Start)
		case !touched:
			healthy = append(healthy, b.End-b.Start)
		}
	}
	r.Calm, r.Healthy = latency(calm), latency(healthy)
	for i := range h.Faults {
		f := &h.Faults[i]
		if f.Machine {
			r.Stalls++
			continue
		}
		r.Faults++
		if f.Promoted > 0 {
			r.Promoted++
			r.Recovery = max(r.Recovery, recovery(h, f))
		}
	}
	return r
}

// simple reports whether a batch is of one slot and waits for nothing.
func simple(b *history.Batch) bool {
	for i := range b.Commands {
		if c := &b.Commands[i]; c.Kind == history.Wait || len(c.Slots) != 1 || c.Slots[0] != b.Commands[0].Slots[0] {
			return false
		}
	}
	return true
}

// meets reports whether there was a fault during a batch, and whether one concerned it.
func meets(h *history.History, b *history.Batch) (met, touched bool) {
	for i := range h.Faults {
		if f := &h.Faults[i]; !f.Machine && b.Start <= f.End && b.End >= f.Start {
			met = true
			touched = touched || b.Touches(f.Slots)
		}
	}
	return met, touched
}

// recovery is how long after the promotion a batch began of which a command failed that concerned
// the fault's slots.
func recovery(h *history.History, f *history.Fault) (last time.Duration) {
	for i := range h.Batches {
		b := &h.Batches[i]
		if b.Start < f.Promoted || b.Start > f.End || b.Cancelled || !b.Touches(f.Slots) {
			continue
		}
		for j := range b.Commands {
			if b.Of(j) != subject.Succeeded && f.Slots.Any(b.Commands[j].Slots) {
				last = max(last, b.Start-f.Promoted)
			}
		}
	}
	return last
}

func latency(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	at := func(percent int) time.Duration { return all[min(len(all)-1, len(all)*percent/100)] }
	return Latency{Batches: len(all), P50: at(50), P99: at(99), Max: all[len(all)-1]}
}
