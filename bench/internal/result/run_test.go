package result

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

func run() *Run {
	return &Run{
		Machine: Machine{CPU: "some", Cores: 2}, Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Rounds: 3, Seconds: 1,
		Cells: []Cell{
			{Scenario: "s", Subject: "a", Round: 0, Commands: 100, Seconds: 2},
			{Scenario: "s", Subject: "a", Round: 1, Error: "it broke"},
			{Scenario: "s", Subject: "a", Round: 2, Commands: 300, Seconds: 2},
		},
	}
}

func TestFailedCellsHaveNoFigures(t *testing.T) {
	r := run()
	if got, want := r.Values("s", "a", Rate), []float64{50, 150}; !slices.Equal(got, want) {
		t.Errorf("the rates are %v, want %v", got, want)
	}
	if r.Cell("s", "a", 1) != nil {
		t.Error("a failed cell was found")
	}
	if failed := r.Failed(); len(failed) != 1 || failed[0].Error != "it broke" {
		t.Errorf("failed: %+v", failed)
	}
	if r.Cell("s", "b", 0) != nil || len(r.Values("t", "a", Rate)) != 0 {
		t.Error("found what was never measured")
	}
}

func TestRunsAreReadAsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	r := run()
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("read %+v, wrote %+v", got, r)
	}
}

func TestThisMachineIsDescribed(t *testing.T) {
	if m := ThisMachine(); m.Cores < 1 || m.Memory == 0 || m.Kernel == "" {
		t.Errorf("got %+v", m)
	}
}
