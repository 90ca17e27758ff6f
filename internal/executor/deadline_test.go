package executor

import (
	"context"
	"errors"
	"testing"
	"time"
)

// testKey is a key for a context's values.
type testKey struct{}

func within(parent context.Context, d time.Duration) *deadlineContext {
	return &deadlineContext{Context: parent, deadline: time.Now().Add(d)}
}

func TestDeadlineContext(t *testing.T) {
	for name, asked := range map[string]bool{"unasked": false, "asked": true} {
		t.Run(name, func(t *testing.T) {
			parent, cancel := context.WithCancel(context.WithValue(context.Background(), testKey{}, 7))
			defer cancel()
			c := within(parent, time.Hour)
			defer c.stop()
			if asked {
				c.Done()
			}
			if err := c.Err(); err != nil {
				t.Errorf("before its end: %v", err)
			}
			if at, ok := c.Deadline(); !ok || time.Until(at) < 59*time.Minute {
				t.Errorf("deadline %v, %v", at, ok)
			}
			if c.Value(testKey{}) != 7 {
				t.Error("the parent's value is not there")
			}
			cancel()
			if err := c.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("after the parent's end: %v", err)
			}
			<-c.Done()

			late := within(context.Background(), time.Millisecond)
			defer late.stop()
			if asked {
				late.Done()
			}
			time.Sleep(5 * time.Millisecond)
			if err := late.Err(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after its end: %v", err)
			}
			<-late.Done()
		})
	}
}

// TestDeadlineContextEndsItsChildren checks contexts derived before and after the channel is
// asked for: goroutines that were left behind would be found by the package's TestMain.
func TestDeadlineContextEndsItsChildren(t *testing.T) {
	c := within(context.Background(), 20*time.Millisecond)
	defer c.stop()
	first, cancelFirst := context.WithCancel(c)
	defer cancelFirst()
	c.Done()
	second, cancelSecond := context.WithTimeout(c, time.Hour)
	defer cancelSecond()
	<-first.Done()
	<-second.Done()
	if !errors.Is(first.Err(), context.DeadlineExceeded) || !errors.Is(second.Err(), context.DeadlineExceeded) {
		t.Errorf("got %v and %v", first.Err(), second.Err())
	}
	stopped := within(context.Background(), time.Hour)
	child, cancelChild := context.WithCancel(stopped)
	defer cancelChild()
	stopped.stop()
	<-child.Done()
}
