package scenario

import (
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/stats"
)

// Bar is what a ratio within one round is held to.
type Bar struct {
	What    string
	Group   Group
	Over    []Term  // the ratio's numerator: the sum of the terms
	Under   []Term  // its denominator
	Divisor float64 // a constant in the denominator's place when there are no terms; 0 is 1
	Limit   float64
	AtLeast bool // the ratio has to reach Limit; otherwise it must not exceed it
}

// Term is a figure of one subject in one scenario.
type Term struct {
	Scenario, Subject string
	Metric            result.Metric
}

// Outcome is what a run says of a bar.
type Outcome struct {
	Bar
	stats.Summary // of the ratios, each within one round
	Measured      bool
	Met           bool // by the median
}

// Judge holds a run to the bar.
func (b Bar) Judge(run *result.Run) Outcome {
	var ratios []float64
	for round := range run.Times() {
		if ratio, ok := b.ratio(run, round); ok {
			ratios = append(ratios, ratio)
		}
	}
	o := Outcome{Bar: b, Summary: stats.Summarize(ratios), Measured: len(ratios) > 0}
	if b.AtLeast {
		o.Met = o.Median >= b.Limit
	} else {
		o.Met = o.Median <= b.Limit
	}
	return o
}

// ratio returns the round's ratio, if all of its figures are there.
func (b Bar) ratio(run *result.Run, round int) (float64, bool) {
	over, ok := sum(run, round, b.Over)
	if !ok {
		return 0, false
	}
	if len(b.Under) == 0 {
		if b.Divisor == 0 {
			return over, true
		}
		return over / b.Divisor, true
	}
	under, ok := sum(run, round, b.Under)
	return over / under, ok && under > 0
}

func sum(run *result.Run, round int, terms []Term) (total float64, ok bool) {
	for _, t := range terms {
		cell := run.Cell(t.Scenario, t.Subject, round)
		if cell == nil {
			return 0, false
		}
		total += t.Metric.Of(cell)
	}
	return total, true
}
