package proc

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// spin uses the CPU for a time.
func spin(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); ; {
		if !time.Now().Before(end) {
			return
		}
	}
}

func TestSelfCounts(t *testing.T) {
	before, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	kept := make([]*[1000]byte, 100)
	for i := range kept {
		kept[i] = new([1000]byte)
	}
	spin(t, 50*time.Millisecond)
	after, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	// The machine may be busy with others: less than asked for, but not nothing.
	if got := after.CPU - before.CPU; got < time.Millisecond {
		t.Errorf("50 ms of work count as %v", got)
	}
	if after.Mallocs-before.Mallocs < 100 || after.Bytes-before.Bytes < 100_000 {
		t.Errorf("100 objects of 1000 bytes count as %d of %d", after.Mallocs-before.Mallocs, after.Bytes-before.Bytes)
	}
	if after.Peak < 1<<20 {
		t.Errorf("the peak of memory is %d bytes", after.Peak)
	}
	if len(kept[99]) != 1000 {
		t.Error("lost")
	}
}

func TestCPUOfOthersIsWhatTheySayThemselves(t *testing.T) {
	spin(t, 50*time.Millisecond)
	outside, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if d := self.CPU - outside; d < -20*time.Millisecond || d > 20*time.Millisecond {
		t.Errorf("from outside %v, by getrusage %v", outside, self.CPU)
	}
}

func TestProcessesThatAreGoneAreErrors(t *testing.T) {
	const none = 1 << 30
	if _, err := CPU(none); err == nil {
		t.Error("CPU measured a process that is not there")
	}
	if _, err := Peak(strconv.Itoa(none)); err == nil {
		t.Error("Peak measured a process that is not there")
	}
}
