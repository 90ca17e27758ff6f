// Package proc measures processes: their CPU, memory and allocations.
//
// A process that is part of the benchmark measures itself: getrusage, which the kernel keeps
// to the nanosecond and tells in microseconds, and the Go runtime's counters. Others (the
// Valkey servers, Webdis) are measured from outside, by /proc/PID/task/*/schedstat, whose
// first figure is each thread's time on a CPU in nanoseconds. Both are user and system time.
package proc
