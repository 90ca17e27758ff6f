package report

import (
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
)

// headings are the paragraphs on the groups.
var headings = map[scenario.Group]string{
	scenario.Large:       "### Client, service and servers share the cores\n",
	scenario.Small:       "### Ten commands are hardly more than the message they come in\n",
	scenario.Observed:    "### Metrics and traces\n",
	scenario.Allocations: "### gRPC allocates for every call\n",
	scenario.Messages:    "### A message of a stream is still a message\n",
	scenario.Hop:         "### A reply passes one goroutine more\n",
	scenario.Tail:        "### The slowest batches wait for a core\n",
	scenario.Growth:      "### More nodes and more commands\n",
	"":                   "### Others\n",
}

func TestMissedBarsAreExplainedByGroup(t *testing.T) {
	kept := scenario.Bars
	defer func() { scenario.Bars = kept }()
	for missed, heading := range headings {
		scenario.Bars = nil
		for _, b := range kept {
			// The bars decide here, not the figures: out of reach, or met by anything.
			if b.Limit = -1; b.AtLeast == (b.Group == missed) {
				b.Limit = 1e9
			}
			scenario.Bars = append(scenario.Bars, b)
		}
		text, err := markdown(made())
		if err != nil {
			t.Fatal(err)
		}
		for g, other := range headings {
			if got := strings.Contains(string(text), other); got != (g == missed) {
				t.Errorf("bars of %q are missed, and it is %v that the page has %q", missed, got, other)
			}
		}
		if !strings.Contains(string(text), "## Bars that are missed\n") {
			t.Errorf("the page has %q without its section", heading)
		}
	}
}

func TestNothingIsExplainedWhenAllBarsAreMet(t *testing.T) {
	kept := scenario.Bars
	defer func() { scenario.Bars = kept }()
	scenario.Bars = nil
	text, err := markdown(made())
	if err != nil || strings.Contains(string(text), "## Bars that are missed") {
		t.Errorf("the page explains what is not there: %v", err)
	}
}

func TestEveryGroupHasAParagraph(t *testing.T) {
	for _, g := range scenario.Groups {
		if headings[g] == "" {
			t.Errorf("%s has none", g)
		}
	}
}

func TestBudgetsAreWhatBarsLeave(t *testing.T) {
	run := made() // GLIDE: 1,500 commands per second and 0.75 us, of which 0.5 are the client's
	var bars []scenario.Bar
	for _, b := range scenario.Bars {
		if b.Over[0].Scenario == "cluster/get-1000" && b.Under != nil && b.Under[0].Subject == "glide" {
			bars = append(bars, b)
		}
	}
	for i := range run.Cells { // Valkey has less to do for one of the others
		if c := &run.Cells[i]; c.Subject == "floor" {
			c.ServersCPU, c.ClientCPU = 0.1, 0.15
		}
	}
	lines := strings.Split(budgetTable(run, bars), "\n")
	// Rate: 2 cores / (2.5 * 1,500) = 533 us, less 0.5 and 0.1. CPU: 0.4 * 0.75, less 0.5.
	for i, want := range []string{"533 | 0.50 | 0.10 | 532.73 | 0.25 | 0.15", "0.30 | 0.50 | | -0.20 | 0.25 | 0.15"} {
		_, cells, _ := strings.Cut(lines[2+i], " | ")
		if got := strings.Join(strings.Fields(strings.TrimSuffix(cells, "|")), " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
