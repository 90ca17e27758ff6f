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

// TestSmallBatchesHaveRoom: what is full for large batches is not for small ones.
func TestSmallBatchesHaveRoom(t *testing.T) {
	const max = 64 << 20
	total := NewBudget(max)
	large := NewBudget(0).Within(total)
	if err := large.Spend(max); err != nil {
		t.Fatal(err)
	}
	if err := large.Spend(1); err == nil || err.Allowed != max {
		t.Errorf("a large batch over the total: %v", err)
	}
	small := NewBudget(0).Within(total)
	if err := small.Spend(smallReplies); err != nil {
		t.Errorf("a small batch: %v", err)
	}
	if err := small.Spend(1); err == nil || err.Allowed != max {
		t.Errorf("one that has become large: %v", err)
	}
	var err *LimitError
	for n := 0; err == nil; n++ {
		if err = NewBudget(0).Within(total).Spend(smallReplies); n > max {
			t.Fatal("small batches have no bound")
		}
	}
	if err.Allowed != max+max/8 || err.Actual <= err.Allowed {
		t.Errorf("the bound of small batches: %v", err)
	}
}
