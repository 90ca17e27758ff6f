package node

import (
	"sync"
	"testing"
)

// TestTotalBudget: what is spent within a total counts there until it is released.
func TestTotalBudget(t *testing.T) {
	total := NewBudget(100)
	a, b := NewBudget(80).Within(total), NewBudget(80).Within(total)
	if err := a.Spend(70); err != nil {
		t.Fatal(err)
	}
	if err := b.Spend(31); err == nil || *err != (LimitError{What: LimitRepliesInFlight, Actual: 101, Allowed: 100}) {
		t.Errorf("over the total: %v", err)
	}
	if err := a.Spend(11); err == nil || *err != (LimitError{What: LimitReplyBytes, Actual: 81, Allowed: 80}) {
		t.Errorf("over its own: %v", err)
	}
	a.Release()
	a.Release()
	if used := total.Used(); used != 31 {
		t.Errorf("%d bytes are counted, want 31", used)
	}
	if err := a.Spend(50); err != nil || total.Used() != 31 {
		t.Errorf("what comes after the release is counted: %v, %d bytes", err, total.Used())
	}
	b.Release()
	if used := total.Used(); used != 0 {
		t.Errorf("%d bytes are left over", used)
	}
	var none *Budget
	none.Release()
	alone := NewBudget(0).Within(nil)
	if err := alone.Spend(1 << 40); err != nil {
		t.Errorf("without bounds: %v", err)
	}
	alone.Release()
}

// TestReleaseWhileSpending: replies that come while a budget is released are counted or not,
// but never stay counted.
func TestReleaseWhileSpending(t *testing.T) {
	total := NewBudget(0)
	var workers sync.WaitGroup
	for range 200 {
		b := NewBudget(0).Within(total)
		workers.Go(func() {
			for range 20 {
				_ = b.Spend(3)
			}
		})
		workers.Go(b.Release)
	}
	workers.Wait()
	if used := total.Used(); used != 0 {
		t.Errorf("%d bytes are left over", used)
	}
}
