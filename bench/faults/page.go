package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/run"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// The comparison stands between these two lines of the page.
const (
	begin = "<!-- comparison: written by make faults-glide -->"
	end   = "<!-- end of comparison -->"
)

// write puts the comparison into the page.
func write(page string, all []*run.Report, seed uint64, length time.Duration) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return fmt.Errorf("%s lacks the lines %q and %q", page, begin, end)
	}
	out := string(before) + begin + "\n" + table(all, seed, length) + end + string(after)
	return os.WriteFile(page, []byte(out), 0o644)
}

func table(all []*run.Report, seed uint64, length time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nSeed %d, faults for %v in each scenario, 64 callers.\n\n", seed, length)
	b.WriteString("| scenario | who | commands | unknown | batches timed out | lost | twice unasked | order, atomicity | wrong replies | errors without a reason | retries not made | late | healthy p99 |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range all {
		n := r.ByRule()
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %s |\n", r.Name, r.Subject, r.Commands,
			r.Outcomes[subject.Unknown], r.Late, n[check.Lost], n[check.Duplicated],
			n[check.Order]+n[check.Torn]+n[check.Interleaved], n[check.WrongReply]+n[check.WrongCount]+n[check.Incomplete]+n[check.Unasked]+n[check.Ran],
			n[check.Unfounded]+n[check.NotRecovered], n[check.GaveUp], n[check.Late], run.Milliseconds(r.Healthy.P99))
	}
	return b.String()
}
