package run

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
)

func TestFlat(t *testing.T) {
	steady := Sample{Heap: 20 << 20, Goroutines: 300, Connections: 100}
	grown := func(change func(s *Sample)) []Sample {
		last := steady
		change(&last)
		return []Sample{steady, steady, steady, last, last, last}
	}
	for name, c := range map[string]struct {
		samples []Sample
		want    string
	}{
		"none":        {nil, "0 rounds are too few"},
		"two":         {[]Sample{steady, {}}, "2 rounds are too few"},
		"steady":      {grown(func(*Sample) {}), ""},
		"a little":    {grown(func(s *Sample) { s.Heap += 10 << 20; s.Goroutines += 100 }), ""},
		"heap":        {grown(func(s *Sample) { s.Heap *= 3 }), "the heap grew"},
		"goroutines":  {grown(func(s *Sample) { s.Goroutines *= 4 }), "goroutines grew"},
		"connections": {grown(func(s *Sample) { s.Connections *= 4 }), "connections grew"},
	} {
		err := Flat(c.samples)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestTallyAddsUp(t *testing.T) {
	var b bytes.Buffer
	Tally(&b, nil)
	if b.Len() > 0 {
		t.Errorf("a tally of nothing: %q", b.String())
	}
	one := &Report{Name: "one", Seed: 7, Batches: 10, Commands: 100, Outcomes: [4]int{90, 6, 3, 1}, Faults: 2, Overdue: time.Second}
	two := &Report{Name: "two", Seed: 7, Batches: 1, Commands: 2, Outcomes: [4]int{2}, Violations: []check.Violation{{Rule: check.Lost, Detail: "it is gone"}}}
	Tally(&b, []*Report{one, two})
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines:\n%s", len(lines), b.String())
	}
	if got := strings.Fields(lines[3])[:7]; strings.Join(got, " ") != "11 102 2 92 6 3 1" {
		t.Errorf("the sum is %v", got)
	}
	if !strings.Contains(lines[4], "two (seed 7): lost: it is gone") {
		t.Errorf("the violation is told as %q", lines[4])
	}
}

func TestScenariosAreWhole(t *testing.T) {
	for name, s := range Scenarios {
		if len(s.Faults) == 0 {
			t.Errorf("%s has no faults", name)
		}
		for _, f := range s.Faults {
			if f.Name == "" || f.Do == nil {
				t.Errorf("%s has a fault without a name or without a deed: %+v", name, f)
			}
		}
	}
}
