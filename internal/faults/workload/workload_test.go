package workload

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// lists makes the batches that a caller sends.
func lists(c Config, caller, n int) (lines [][][]string) {
	made := newCaller(c.WithDefaults(), caller)
	for range n {
		b := made.batch()
		lines = append(lines, b.Batch.Commands)
		made.sent = append(made.sent, b)
	}
	return lines
}

func TestBatchesFollowFromTheSeed(t *testing.T) {
	c := Config{Slots: []uint16{1, 2, 3}, Seed: 7}
	if diff := cmp.Diff(lists(c, 3, 200), lists(c, 3, 200)); diff != "" {
		t.Errorf("the same seed gives other batches:\n%s", diff)
	}
	other := c
	other.Seed = 8
	if cmp.Equal(lists(c, 3, 200), lists(other, 3, 200)) || cmp.Equal(lists(c, 3, 200), lists(c, 4, 200)) {
		t.Error("another seed, or another caller, sends the same")
	}
}

func TestEveryEffectIsUnlikeAnyOther(t *testing.T) {
	c := Config{Slots: []uint16{1, 2, 3}, Seed: 7}.WithDefaults()
	seen := map[string]bool{}
	kinds := map[history.Kind]bool{}
	for caller := range 8 {
		made := newCaller(c, caller)
		for range 200 {
			b := made.batch()
			made.sent = append(made.sent, b)
			if b.Atomic && (b.RetryServer || b.RetryConnection) {
				t.Error("an atomic batch has retries")
			}
			for _, cmd := range b.Commands {
				kinds[cmd.Kind] = true
				if cmd.Kind != history.Push && cmd.Kind != history.Set && cmd.Kind != history.SetMany {
					continue
				}
				for i, v := range cmd.Values {
					id := cmd.Kind.String()[:1] + v
					if cmd.Kind != history.Push {
						id = "register " + v
					}
					if seen[id] {
						t.Fatalf("%s of %q to %s comes twice", cmd.Kind, v, cmd.Keys[i])
					}
					seen[id] = true
				}
			}
		}
	}
	for k := history.Push; k <= history.Wait; k++ {
		if !kinds[k] {
			t.Errorf("nobody sends %s", k)
		}
	}
}

// counting is a subject that fails everything and counts.
type counting struct{}

func (counting) Execute(context.Context, subject.Batch) ([]subject.Result, *subject.Failure) {
	return nil, &subject.Failure{Status: "no", Outcome: subject.NotExecuted}
}

func (counting) Close() error { return nil }

func TestRunKeepsEveryBatch(t *testing.T) {
	stop := make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() { close(stop) })
	batches := Run(Config{Callers: 4, Slots: []uint16{1}, Pause: time.Millisecond}, counting{}, time.Now(), stop)
	next := map[int]int{}
	for _, b := range batches {
		if b.Number != next[b.Caller] || b.Failure == nil || b.End < b.Start || len(b.Commands) == 0 || b.Batch.Commands != nil {
			t.Fatalf("batch %+v, want number %d", b, next[b.Caller])
		}
		next[b.Caller]++
	}
	if len(next) != 4 {
		t.Errorf("%d callers", len(next))
	}
}
