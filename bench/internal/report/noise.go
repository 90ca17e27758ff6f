package report

import (
	"fmt"

	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/stats"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// noise is how far the rounds lie apart, as shares of their median.
type noise struct{ Typical, Worst, WorstWhere string }

func noiseOf(run *result.Run) noise {
	var spreads []float64
	worst, where := 0.0, ""
	for _, s := range scenario.All {
		for _, who := range subject.All {
			rates := stats.Summarize(run.Values(s.Name, who.Name, result.Rate))
			if rates.Rounds < 2 {
				continue
			}
			spreads = append(spreads, rates.Spread())
			if rates.Spread() > worst {
				worst, where = rates.Spread(), who.Title+", "+s.Title()
			}
		}
	}
	percent := func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }
	return noise{percent(stats.Median(spreads)), percent(worst), where}
}
