package executor

import (
	"context"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// Observer is told of batches once they are over, for metrics, traces and logs.
type Observer interface {
	// Detailed reports whether the report of a batch with this context is to say what costs time
	// to find out: [Send.Slots].
	Detailed(ctx context.Context) bool
	// Executed is called by the goroutine of every batch that was carried out, or could not be,
	// before Execute returns. It must be quick, and keep nothing of the report.
	Executed(ctx context.Context, r *Report)
}

// Report is what became of one batch: how much of what, never what its commands hold.
type Report struct {
	// Atomic is whether it was a transaction, Commands the number of its commands.
	Atomic   bool
	Commands int
	// Families counts the commands by their families; all zero when nothing was sent.
	Families [command.Families]int
	// Start is when Execute began, Sent when the first sub-pipeline was sent (zero: none was),
	// End when everything was known.
	Start, Sent, End time.Time
	// Rounds is how often sub-pipelines were sent; Sends are all of them, in the order of the rounds.
	Rounds int
	Sends  []Send
	// Moved and Asked count commands, or parts of split ones, that followed a redirect of that
	// kind; a transaction counts as one.
	Moved, Asked int
	// Retries counts commands, likewise, that were put off to be sent again, by cause.
	Retries [Causes]int
	// Results is what came of the commands; nil when the batch failed as a whole, as Err says.
	// Of a batch with raise_on_error both may be set.
	Results []Result
	Failed  int
	Err     error

	detailed bool
	// base is where the sends of the latest round begin, current the one that is being settled.
	base, current int
}

// Send is one sub-pipeline, or a transaction, on its way to a node and back.
type Send struct {
	// Round is the number of the round, from 0.
	Round int
	// Node is the address it was sent to, on a connection of the class Lane, for a replica or not.
	Node    string
	Lane    node.Class
	Replica bool
	// Commands and Bytes are what was sent, as it was encoded; Asking of the commands followed ASK.
	Commands, Bytes, Asking int
	// Start is when it was ready, Written when a connection began to write it (zero: none did),
	// and End when it was known what became of it.
	Start, Written, End time.Time
	// Slots is in how many slots its keys lie; 0 when nobody asked for that.
	Slots int
	// Redirected of the commands, or of the transactions of which it is one, were redirected.
	Redirected int
	// Err is why not everything of it was answered; nil if it was.
	Err error
}

// Queued is how long it waited for a connection, for room on it, and for those before it to be
// written.
func (s *Send) Queued() time.Duration {
	if s.Written.IsZero() {
		return s.End.Sub(s.Start)
	}
	return max(0, s.Written.Sub(s.Start))
}

// Cause is why a command was put off to be sent again.
type Cause uint8

// The causes.
const (
	CauseConnection Cause = iota // the node could not be reached, or was lost
	CauseTryAgain
	CauseClusterDown
	CauseLoading
	CauseMasterDown
	CauseReadOnly
	// Causes is how many there are.
	Causes = int(CauseReadOnly) + 1
)

// causeCodes are the codes of the errors that are causes.
var causeCodes = [Causes]string{CodeConnection, "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"}

// String returns the code of the error that the cause is.
func (c Cause) String() string { return causeCodes[c] }

// maxReportedSends is how many sends are worth keeping room for.
const maxReportedSends = 256

// begin makes the report that of a batch that begins.
func (rep *Report) begin(r *run) {
	*rep = Report{Atomic: r.batch.Atomic, Commands: len(r.batch.Commands), Start: r.start, Sends: rep.Sends[:0],
		detailed: r.cfg.Observer.Detailed(r.caller)}
}

// settling takes note of which sub-pipeline of the round is looked at.
func (r *run) settling(i int) {
	if r.report != nil {
		r.report.current = r.report.base + i
	}
}

// followed takes note of a redirect that is followed.
func (r *run) followed(ask bool) {
	rep := r.report
	if rep == nil {
		return
	}
	if ask {
		rep.Asked++
	} else {
		rep.Moved++
	}
	if rep.current < len(rep.Sends) {
		rep.Sends[rep.current].Redirected++
	}
}

// putOff takes note of a command that is to be sent again for an error.
func (r *run) putOff(err *CommandError) {
	if r.report == nil {
		return
	}
	for cause, code := range causeCodes {
		if code == err.Code {
			r.report.Retries[cause]++
			return
		}
	}
}

// noteRound takes note of a round that is over, before its sub-pipelines are released.
func (r *run) noteRound(p *plan, round []sent) {
	rep := r.report
	if rep == nil {
		return
	}
	rep.base = len(rep.Sends)
	for i := range round {
		s := &round[i]
		if s.panicked != nil {
			return // the batch ends with it
		}
		asking := 0
		if s.index != nil {
			for _, part := range s.parts {
				if t := p.parts[part].trouble; t != nil && t.asking {
					asking++
				}
			}
		}
		rep.sent(r.sentAt, s.addr, s.to, s.batch, len(s.parts), asking)
		if rep.detailed {
			rep.Sends[len(rep.Sends)-1].Slots = p.slots(s.parts)
		}
	}
	rep.Rounds++
}

// slots counts the slots in which the keys of some parts lie.
func (p *plan) slots(parts []int32) int {
	var seen [slotmap.Slots / 64]uint64
	n := 0
	for _, i := range parts {
		slot := p.parts[i].slot
		if slot == keyless || seen[slot/64]&(1<<(slot%64)) != 0 {
			continue
		}
		seen[slot/64] |= 1 << (slot % 64)
		n++
	}
	return n
}

// noteTransaction takes note of a transaction that was sent once.
func (r *run) noteTransaction(addr string, to node.Target, nb *node.Batch) {
	if r.report == nil {
		return
	}
	asking := 0
	if to.Asking {
		asking = len(r.batch.Commands)
	}
	r.report.base = len(r.report.Sends)
	r.report.current = r.report.base
	r.report.sent(r.sentAt, addr, to, nb, len(r.batch.Commands), asking)
	r.report.Rounds++
}

func (rep *Report) sent(at time.Time, addr string, to node.Target, nb *node.Batch, commands, asking int) {
	written, settled := nb.Times()
	if rep.Sent.IsZero() {
		rep.Sent = at
	}
	rep.Sends = append(rep.Sends, Send{
		Round: rep.Rounds, Node: addr, Lane: to.Class, Replica: to.Replica,
		Commands: commands, Bytes: nb.Bytes(), Asking: asking,
		Start: at, Written: written, End: settled, Err: nb.Err(),
	})
}

// tell tells the observer what became of the batch.
func (r *run) tell(results *Results, err error) {
	rep := r.report
	if rep.Rounds > 0 {
		r.countFamilies()
	}
	if results != nil {
		rep.Results, rep.Failed = results.Results, results.Failed
	}
	rep.End, rep.Err = time.Now(), err
	r.cfg.Observer.Executed(r.caller, rep)
	rep.Results, rep.Err = nil, nil
	clear(rep.Sends)
	if cap(rep.Sends) > maxReportedSends {
		rep.Sends = nil
	}
	rep.Sends = rep.Sends[:0]
}

// countFamilies counts the commands, most of which have the family of the one before.
func (r *run) countFamilies() {
	var info *command.Info
	n := 0
	for i := range r.items {
		if r.items[i].info != info {
			r.report.Families[info.Family()] += n
			info, n = r.items[i].info, 0
		}
		n++
	}
	r.report.Families[info.Family()] += n
}
