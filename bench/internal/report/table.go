package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/valkeybatch/valkeybatch/bench/internal/chart"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/stats"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// table is a Markdown table whose columns line up, so that it reads as plain text too. The
// first column holds words, the others figures.
type table struct{ rows [][]string }

func (t *table) add(first string, others ...string) {
	t.rows = append(t.rows, append([]string{first}, others...))
}

func (t *table) String() string {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range t.rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + pad)
			} else {
				b.WriteString(" | " + pad + cell)
			}
		}
		b.WriteString(" |\n")
		if n == 0 {
			for i, w := range widths {
				if i == 0 {
					b.WriteString("|" + strings.Repeat("-", w+2))
				} else {
					b.WriteString("|" + strings.Repeat("-", w+1) + ":")
				}
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

// BarTable is the table of the bars: of all, if the run was of everything.
func BarTable(run *result.Run) string {
	var t table
	t.add("what", "bar", "median", "min - max", "met")
	for _, o := range Outcomes(run) {
		limit := "at most " + ratio(o.Limit)
		if o.AtLeast {
			limit = "at least " + ratio(o.Limit)
		}
		switch {
		case !o.Measured && !run.Whole:
		case !o.Measured:
			t.add(o.What, limit, "-", "-", "not measured")
		case o.Met:
			t.add(o.What, limit, ratio(o.Median), spread(o.Summary), "yes")
		default:
			t.add(o.What, limit, "**"+ratio(o.Median)+"**", spread(o.Summary), "**no**")
		}
	}
	return t.String()
}

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }

func spread(s stats.Summary) string { return ratio(s.Min) + " - " + ratio(s.Max) }

// Group is the figures of a scenario.
type Group struct {
	Title string
	Name  string
	Table string
}

// Figures are the medians of everything, by scenario.
func Figures(run *result.Run) []Group {
	var groups []Group
	for _, s := range scenario.All {
		var t table
		t.add("", "commands/s", "min - max", "CPU: client", "service", "Valkey", "p50", "p99", "p99.9",
			"allocations: client", "service", "peak: client", "service")
		for _, who := range subject.All {
			of := func(m result.Metric) stats.Summary { return stats.Summarize(run.Values(s.Name, who.Name, m)) }
			rate := of(result.Rate)
			if rate.Rounds == 0 {
				continue
			}
			number := func(m result.Metric) string { return chart.Number(of(m).Median) }
			// Where there is no process between client and deployment there are no figures of one.
			behind := func(m result.Metric, show func(float64) string) string {
				if who.Needs == subject.Nothing {
					return ""
				}
				return show(of(m).Median)
			}
			serviceAllocs := behind(result.ServiceAllocs, allocations)
			if who.Needs == subject.Webdis {
				serviceAllocs = ""
			}
			t.add(who.Title, chart.Number(rate.Median), chart.Number(rate.Min)+" - "+chart.Number(rate.Max),
				number(result.ClientCPU), behind(result.ServiceCPU, chart.Number), number(result.ServersCPU),
				latency(of(result.P50).Median), latency(of(result.P99).Median), latency(of(result.P999).Median),
				allocations(of(result.ClientAllocs).Median), serviceAllocs,
				memory(of(result.ClientPeak).Median), behind(result.ServicePeak, memory))
		}
		if len(t.rows) > 1 {
			groups = append(groups, Group{s.Title(), s.Name, t.String()})
		}
	}
	return groups
}

// latency writes microseconds in a fitting unit.
func latency(v float64) string {
	if v >= 1000 {
		return chart.Number(v/1000) + " ms"
	}
	return chart.Number(v) + " us"
}

func allocations(v float64) string { return fmt.Sprintf("%.2f", v) }

func memory(v float64) string { return fmt.Sprintf("%.0f MiB", v/(1<<20)) }

// Results is the bars, where the time goes, and figures as one text.
func Results(run *result.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\n%s\nBars: %s.\n", BarTable(run), tally(run))
	for _, g := range Profiles(run) {
		fmt.Fprintf(&b, "\n## Where the time goes: %s\n\n`%s`\n\n%s", g.Title, g.Name, g.Table)
	}
	for _, g := range Figures(run) {
		fmt.Fprintf(&b, "\n## %s\n\n`%s`\n\n%s", g.Title, g.Name, g.Table)
	}
	for _, c := range run.Failed() {
		fmt.Fprintf(&b, "\nFailed: %s, %s, round %d: %s\n", c.Scenario, c.Subject, c.Round+1, c.Error)
	}
	return b.String()
}
