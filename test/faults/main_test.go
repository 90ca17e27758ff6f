package faults

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/run"
	"github.com/valkeybatch/valkeybatch/internal/faults/service"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

var (
	full = flag.Bool("full", false, "run every scenario, at length, and print the tally")
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
	goleak.VerifyTestMain(tallying{m})
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
func endure(t *testing.T, name string, makers ...subject.Maker) *run.Report {
	t.Helper()
	if len(makers) == 0 {
		makers = []subject.Maker{service.Unary}
	}
	s, ok := run.Scenarios[name]
	if !ok {
		t.Fatalf("there is no scenario %q", name)
	}
	s.Name = name
	var last *run.Report
	for _, maker := range makers {
		o := run.Options{Maker: maker, Seed: *seed, Hold: 700 * time.Millisecond, Calm: 500 * time.Millisecond, Limits: limits()}
		if *full {
			o.Length, o.Hold, o.Calm = 10*time.Second, 1500*time.Millisecond, time.Second
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		report, err := run.Run(ctx, s, o)
		cancel()
		if err != nil {
			t.Fatalf("seed %d: %v", *seed, err)
		}
		for i, v := range report.Violations {
			if i == 20 {
				t.Errorf("and %d more", len(report.Violations)-i)
				break
			}
			t.Errorf("seed %d: %v", *seed, v)
		}
		fmt.Printf("%s: seed %d, %d batches, %d commands, %d faults\n", name, *seed, report.Batches, report.Commands, report.Faults)
		reports.mu.Lock()
		reports.all = append(reports.all, report)
		reports.mu.Unlock()
		last = report
	}
	return last
}
