package report

import (
	"errors"
	"fmt"
	"text/template"

	"github.com/valkeybatch/valkeybatch/bench/internal/chart"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
)

// proseMetrics are the figures that the page's prose names.
var proseMetrics = map[string]result.Metric{
	"rate":               result.Rate,
	"CPU":                result.CPU,
	"client CPU":         result.ClientCPU,
	"service CPU":        result.ServiceCPU,
	"Valkey CPU":         result.ServersCPU,
	"client allocations": result.ClientAllocs, "service allocations": result.ServiceAllocs,
	"p50": result.P50, "p99": result.P99,
}

// proseFuncs are the functions of the page's template. What names something that is never
// measured is an error, so that the page's tests find it; what was not measured in this run
// is a dash.
func proseFuncs(run *result.Run) template.FuncMap {
	return template.FuncMap{
		"next": func(n int) int { return n + 1 },
		// The median of a figure.
		"figure": func(name, subject, metric string) (string, error) {
			v, err := proseFigure(run, name, subject, metric)
			if metric == "p50" || metric == "p99" {
				return latency(v), err
			}
			return chart.Number(v), err
		},
		// The same for all commands of a batch together.
		"ofBatch": func(name, subject, metric string) (string, error) {
			v, err := proseFigure(run, name, subject, metric)
			if err != nil {
				return "", err
			}
			return chart.Number(v * float64(scenario.ByName(name).Spec.Batch)), nil
		},
		// What a batch takes on average where every caller waits for its replies.
		"mean": func(name, subject string) (string, error) {
			rate, err := proseFigure(run, name, subject, "rate")
			if err != nil {
				return "", err
			}
			s := scenario.ByName(name)
			return latency(1e6 * float64(s.Callers*s.Spec.Batch) / rate), nil
		},
		// The p99 that the bar of the group Tail allows.
		"allowedTail": func() (string, error) {
			for _, b := range scenario.Bars {
				if b.Group == scenario.Tail {
					return latency(b.Limit * median(run, b.Under[0].Scenario, b.Under[0].Subject, result.P99)), nil
				}
			}
			return "", errors.New("no bar is on the tail")
		},
		// The limit, for a batch, of the group's first bar.
		"limitOfBatch": func(group string) (string, error) {
			for _, b := range scenario.Bars {
				if string(b.Group) == group {
					return chart.Number(b.Limit * float64(scenario.ByName(b.Over[0].Scenario).Spec.Batch)), nil
				}
			}
			return "", fmt.Errorf("no bar is of the group %q", group)
		},
	}
}

func proseFigure(run *result.Run, name, subject, metric string) (float64, error) {
	m, ok := proseMetrics[metric]
	if s := scenario.ByName(name); !ok || s == nil || !s.Has(subject) {
		return 0, fmt.Errorf("there is no %s of %s in %s", metric, subject, name)
	}
	return median(run, name, subject, m), nil
}
