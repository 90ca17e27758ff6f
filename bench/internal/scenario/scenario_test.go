package scenario

import (
	"math"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/bench/internal/deploy"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

func TestScenariosCanBeRun(t *testing.T) {
	names := map[string]bool{}
	for _, s := range All {
		if names[s.Name] {
			t.Errorf("two scenarios are called %s", s.Name)
		}
		names[s.Name] = true
		if err := s.Spec.Validate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if s.Callers < 1 || len(s.Subjects) == 0 {
			t.Errorf("%s has %d callers and %d subjects", s.Name, s.Callers, len(s.Subjects))
		}
		seen := map[string]bool{}
		for _, name := range s.Subjects {
			who, err := subject.ByName(name)
			switch {
			case err != nil:
				t.Errorf("%s: %v", s.Name, err)
			case seen[name]:
				t.Errorf("%s has %s twice", s.Name, name)
			case who.SingleOnly && s.Spec.Batch != 1:
				t.Errorf("%s: %s has no batches", s.Name, name)
			case who.StandaloneOnly && s.Deploy != deploy.Standalone:
				t.Errorf("%s: %s has no clusters", s.Name, name)
			}
			seen[name] = true
		}
	}
}

// Standing still and going on take time: each deployment has its turn once a round.
func TestScenariosOfADeploymentFollowEachOther(t *testing.T) {
	seen := map[deploy.Kind]bool{}
	last := deploy.Kind(-1)
	for _, s := range All {
		if s.Deploy != last && seen[s.Deploy] {
			t.Errorf("%s comes back to %s", s.Name, s.Deploy)
		}
		seen[s.Deploy], last = true, s.Deploy
	}
}

func TestScenariosCoverEveryAxis(t *testing.T) {
	axes := map[string]map[any]bool{}
	cover := func(axis string, value any) {
		if axes[axis] == nil {
			axes[axis] = map[any]bool{}
		}
		axes[axis][value] = true
	}
	smoked := map[string]bool{}
	for _, s := range All {
		cover("batch", s.Spec.Batch)
		cover("size", s.Spec.Size)
		cover("commands", s.Spec.Commands)
		cover("callers", s.Callers)
		cover("deployment", s.Deploy)
		cover("atomic", s.Spec.Atomic)
		for _, name := range s.Subjects {
			cover("subject", name)
			smoked[name] = smoked[name] || s.Smoke
		}
	}
	for axis, values := range map[string][]any{
		"batch":      {1, 10, 100, 1_000, 10_000, 100_000},
		"size":       {16, 1 << 10, 64 << 10},
		"commands":   {"get", "set", "mix", "mget"},
		"callers":    {1, 8, 64},
		"deployment": {deploy.Standalone, deploy.Cluster3, deploy.Cluster30},
		"atomic":     {true, false},
	} {
		for _, v := range values {
			if !axes[axis][v] {
				t.Errorf("no scenario has %s %v", axis, v)
			}
		}
	}
	for _, s := range subject.All {
		if !smoked[s.Name] {
			t.Errorf("the smoke test leaves %s out", s.Name)
		}
	}
}

func TestBarsCompareWhatIsMeasured(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range Bars {
		if seen[b.What] {
			t.Errorf("two bars say %q", b.What)
		}
		seen[b.What] = true
		if b.Limit <= 0 || len(b.Over) == 0 {
			t.Errorf("%s: limit %v over %d terms", b.What, b.Limit, len(b.Over))
		}
		for _, term := range append(append([]Term{}, b.Over...), b.Under...) {
			if s := ByName(term.Scenario); s == nil || !s.Has(term.Subject) {
				t.Errorf("%s: %s is not measured in %s", b.What, term.Subject, term.Scenario)
			}
		}
	}
}

func TestBarsJudgeByTheMedianOfRatiosWithinRounds(t *testing.T) {
	cell := func(who string, round, commands int) result.Cell {
		return result.Cell{Scenario: "s", Subject: who, Round: round, Commands: commands, Seconds: 1}
	}
	run := &result.Run{Rounds: 4, Cells: []result.Cell{
		cell("a", 0, 200), cell("b", 0, 100), // 2
		cell("a", 1, 30), cell("b", 1, 10), // 3: a slow round for both
		cell("a", 2, 1000), cell("b", 2, 250), // 4
		cell("a", 3, 900), {Scenario: "s", Subject: "b", Round: 3, Error: "it broke"},
	}}
	b := Bar{Over: term("s", "a", result.Rate), Under: term("s", "b", result.Rate), Limit: 3, AtLeast: true}
	if o := b.Judge(run); !o.Measured || !o.Met || o.Median != 3 || o.Min != 2 || o.Max != 4 || o.Rounds != 3 {
		t.Errorf("got %+v", o)
	}
	b.Limit = 3.1
	if b.Judge(run).Met {
		t.Error("3 is at least 3.1")
	}
	b.AtLeast = false
	if !b.Judge(run).Met {
		t.Error("3 is not at most 3.1")
	}
	if o := (Bar{Over: term("s", "a", result.Rate), Divisor: 300, Limit: 1}).Judge(run); o.Median != (200.0+900.0)/2/300 {
		t.Errorf("over a constant: %v", o.Median)
	}
	sum := Bar{Over: term("s", "a", result.Rate), Under: append(term("s", "a", result.Rate), term("s", "b", result.Rate)...), Limit: 1}
	if o := sum.Judge(run); math.Abs(o.Median-0.75) > 1e-9 {
		t.Errorf("over a sum: %v", o.Median)
	}
}

func TestBarsWithoutFiguresAreNotMeasured(t *testing.T) {
	for _, b := range Bars {
		if o := b.Judge(&result.Run{Rounds: 2}); o.Measured || o.Met {
			t.Errorf("%s: %+v", b.What, o)
		}
	}
}

func TestTitles(t *testing.T) {
	for name, want := range map[string]string{
		"one/1-caller":          "standalone: 1 x 16 B GET, 1 caller",
		"cluster/get-10000":     "cluster, 3 primaries: 10,000 x 16 B GET, 8 callers",
		"cluster/mix-1000-1KiB": "cluster, 3 primaries: 1,000 x 1 KiB GET/SET/INCR/HSET, 8 callers",
		"standalone/set-100MB":  "standalone: 1,000 x 100 KB SET, 1 caller",
		"cluster/mget-1x10000":  "cluster, 3 primaries: 1 x 16 B MGET of 10,000 keys, 8 callers",
	} {
		if got := ByName(name).Title(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.HasSuffix(ByName("cluster/atomic-100").Title(), "atomic, 8 callers") {
		t.Errorf("got %q", ByName("cluster/atomic-100").Title())
	}
}
