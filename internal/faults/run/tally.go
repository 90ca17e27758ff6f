package run

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// Tally writes reports as a table, with a sum below, and the first violations of each.
func Tally(w io.Writer, reports []*Report) {
	if len(reports) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "seed\tbatches\tcommands\tfaults\tsucceeded\tnot executed\tfailed\tunknown\ttimed out\tlost by servers\ttwice, as asked\tstalls\tviolations\toverdue\trecovery\tcalm p99\thealthy p99\t  scenario")
	var sum Report
	for _, r := range reports {
		row(t, r, fmt.Sprint(r.Seed), r.Name)
		sum.add(r)
	}
	row(t, &sum, "", "all")
	_ = t.Flush()
	for _, r := range reports {
		for i, v := range r.Violations {
			if i == shown {
				fmt.Fprintf(w, "%s: and %d more\n", r.Name, len(r.Violations)-shown)
				break
			}
			fmt.Fprintf(w, "%s (seed %d): %v\n", r.Name, r.Seed, v)
		}
	}
}

// shown is how many violations of one run are written out.
const shown = 20

func row(w io.Writer, r *Report, seed, name string) {
	recovery := "-"
	if r.Promoted > 0 {
		recovery = Milliseconds(r.Recovery)
	}
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t  %s\n", seed, r.Batches, r.Commands, r.Faults,
		r.Outcomes[subject.Succeeded], r.Outcomes[subject.NotExecuted], r.Outcomes[subject.Failed], r.Outcomes[subject.Unknown],
		r.Late, r.Lost, r.Twice, r.Stalls, len(r.Violations), Milliseconds(max(0, r.Overdue)), recovery, Milliseconds(r.Calm.P99), Milliseconds(r.Healthy.P99), name)
}

// Milliseconds writes a time as tables have it.
func Milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// add adds figures up; of times it keeps the longest.
func (r *Report) add(o *Report) {
	r.Batches += o.Batches
	r.Commands += o.Commands
	r.Faults += o.Faults
	r.Stalls += o.Stalls
	for i := range o.Outcomes {
		r.Outcomes[i] += o.Outcomes[i]
	}
	r.Failed += o.Failed
	r.Late += o.Late
	r.Lost += o.Lost
	r.Twice += o.Twice
	r.Violations = append(r.Violations, make([]check.Violation, len(o.Violations))...)
	r.Overdue = max(r.Overdue, o.Overdue)
	r.Recovery = max(r.Recovery, o.Recovery)
	r.Promoted += o.Promoted
	r.Calm.P99 = max(r.Calm.P99, o.Calm.P99)
	r.Healthy.P99 = max(r.Healthy.P99, o.Healthy.P99)
}
