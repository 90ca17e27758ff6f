// Package stats is the little arithmetic that the benchmark needs.
package stats

import (
	"math"
	"slices"
	"time"
)

// Median returns the middle of the values, and the mean of the two in the middle when their
// number is even; NaN of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Quantile returns the smallest of the sorted durations that at least the share q of them
// does not exceed; 0 of none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Summary is a figure over rounds.
type Summary struct {
	Median, Min, Max float64
	Rounds           int
}

// Summarize returns the figure over the rounds that have it.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		nan := math.NaN()
		return Summary{Median: nan, Min: nan, Max: nan}
	}
	return Summary{Median: Median(values), Min: slices.Min(values), Max: slices.Max(values), Rounds: len(values)}
}

// Spread is how far the rounds lie apart: the difference of the extremes as a share of the
// median.
func (s Summary) Spread() float64 { return (s.Max - s.Min) / s.Median }
