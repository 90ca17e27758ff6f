//go:build soak

package faults

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/run"
	"github.com/valkeybatch/valkeybatch/internal/faults/service"
)

var soak = flag.Duration("soak", 5*time.Minute, "how long TestSoak goes on")

// TestSoak runs faults at random for as long as it is told, and what the process holds stays
// the same.
func TestSoak(t *testing.T) {
	o := run.Options{
		Maker: service.Unary, Seed: *seed, Length: *soak, Hold: time.Second, Calm: time.Second, After: 5 * time.Second,
		Limits: check.Limits{Grace: 2 * time.Second, Recovery: 2 * time.Second, Healing: 4 * time.Second},
	}
	all, samples, err := run.Soak(context.Background(), o, os.Stdout)
	reports.all = append(reports.all, all...)
	if err != nil {
		t.Errorf("seed %d: %v", *seed, err)
	}
	for _, r := range all {
		for _, v := range r.Violations {
			t.Errorf("seed %d, %s: %v", *seed, r.Name, v)
		}
	}
	if err := run.Flat(samples); err != nil {
		t.Error(err)
	}
}
