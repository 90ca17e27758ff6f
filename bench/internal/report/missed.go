package report

import (
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
)

// missed is the bars that a run misses.
type missed struct {
	Any     bool
	Groups  map[string]bool // those that miss one
	Others  []string        // bars of no group
	Budgets string          // what the bars of group Large leave
}

func missedBy(run *result.Run) missed {
	m := missed{Groups: map[string]bool{}}
	var large []scenario.Bar
	for _, o := range Outcomes(run) {
		if !o.Measured || o.Met {
			continue
		}
		m.Any = true
		switch o.Group {
		case "":
			m.Others = append(m.Others, o.What)
		case scenario.Large:
			large = append(large, o.Bar)
		}
		m.Groups[string(o.Group)] = true
	}
	if len(large) > 0 {
		m.Budgets = budgetTable(run, large)
	}
	return m
}
