package faults

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/run"
	"github.com/valkeybatch/valkeybatch/internal/faults/service"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
	"github.com/valkeybatch/valkeybatch/internal/leaktest"
)

var (
	full = flag.Bool("full", false, "run at length, and print the tally")
	// length is how long the faults of each scenario go on when it runs at length.
	length = flag.Duration("length", 10*time.Second, "with -full: how long the faults of each scenario go on")

	seed = flag.Uint64("seed", 0, "seed of the runs; 0: one by chance, which is printed")
)

// reports are those of all runs.
var reports struct {
	mu  sync.Mutex
	all []*run.Report
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64N(1_000_000) + 1
	}
	leaktest.Main(tallying{m})
}

// tallying prints the tally after the tests.
type tallying struct{ m *testing.M }

// Run implements the interface of [testing.M] that is needed.
func (t tallying) Run() int {
	code := t.m.Run()
	if *full || testing.Verbose() {
		run.Tally(os.Stdout, reports.all)
	}
	return code
}

// limits are what recovery may take. Where machines are shared nothing can be asked of times
// but that they end.
func limits() check.Limits {
	if *full {
		return check.Limits{Grace: time.Second, Recovery: time.Second, Healing: 4 * time.Second}
	}
	return check.Limits{Grace: 5 * time.Second, Recovery: 5 * time.Second, Healing: 5 * time.Second}
}

// endure runs a scenario against the service and fails the test for every violation.
func endure(t *testing.T, name string, makers ...subject.Maker) {
	t.Helper()
	s, ok := run.Scenarios[name]
	if !ok {
		t.Fatalf("there is no scenario %q", name)
	}
	s.Name = name
	if len(makers) == 0 {
		makers = []subject.Maker{service.Unary}
	}
	if !*full {
		makers = makers[:1]
	}
	for _, maker := range makers {
		o := run.Options{Maker: maker, Seed: *seed, Hold: 500 * time.Millisecond, Calm: 300 * time.Millisecond, After: time.Second, Limits: limits()}
		if *full {
			o.Length, o.Hold, o.Calm, o.After = *length, 1500*time.Millisecond, time.Second, limits().Healing+time.Second
		}
		report := once(t, s, o)
		for i, v := range report.Violations {
			if i == 20 {
				t.Errorf("and %d more", len(report.Violations)-i)
				break
			}
			t.Errorf("seed %d: %v", *seed, v)
		}
	}
}

// once runs a scenario and keeps the report for the tally.
func once(t *testing.T, s run.Scenario, o run.Options) *run.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), o.Length+10*time.Minute)
	defer cancel()
	report, err := run.Run(ctx, s, o)
	if err != nil {
		t.Fatalf("seed %d: %v", o.Seed, err)
	}
	reports.mu.Lock()
	defer reports.mu.Unlock()
	reports.all = append(reports.all, report)
	return report
}
