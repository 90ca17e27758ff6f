package proc

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Sample is what a process says of itself at one moment.
type Sample struct {
	CPU     time.Duration // user and system
	Mallocs uint64        // Go heap objects allocated so far
	Bytes   uint64        // of those
	Peak    uint64        // most resident memory so far, in bytes
}

// Self measures this process.
func Self() (Sample, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return Sample{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	peak, err := Peak("self")
	return Sample{
		CPU:     time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		Mallocs: m.Mallocs,
		Bytes:   m.TotalAlloc,
		Peak:    peak,
	}, err
}

// Peak returns the most resident memory that a process has had, in bytes. It is VmHWM, not
// getrusage's ru_maxrss, which a program inherits from the one that it was started by.
func Peak(pid string) (uint64, error) {
	f, err := os.Open("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			var kib uint64
			_, err := fmt.Sscanf(value, "%d kB", &kib)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%s/status names no VmHWM", pid)
}
