package executor

import (
	"context"
	"slices"
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
	// Families counts the commands by their families; all zero when nothing was written to a node.
	Families [command.Families]int
	// Start is when Execute began, Planned when it was known which node each command goes to, or that
	// none fits (zero: it never was), End when everything was known.
	Start, Planned, End time.Time
	// Rounds is how often sub-pipelines were sent; Sends are all of them, in the order of the rounds,
	// those to nodes that could not be reached included.
	Rounds int
	Sends  []Send
	// Moved and Asked count commands, or parts of split ones, that were sent where a redirect of that
	// kind points; a transaction counts as one.
	Moved, Asked int
	// Retries counts commands, likewise, that were sent again for an error, by cause.
	Retries [Causes]int
	// Results is what came of the commands; nil when the batch failed as a whole, as Err says.
	// Of a batch with raise_on_error both may be set.
	Results []Result
	Failed  int
	Err     error

	detailed bool
	// base is where the sends of the latest round begin, current the one that is being settled.
	base, current int
	// again is whether anything is to be sent again.
	again bool
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

// Cause is why a command was sent again.
type Cause uint8

// The causes.
const (
	CauseConnection Cause = iota // the node could not be reached, or was lost
	CauseTryAgain
	CauseClusterDown
	CauseLoading
	CauseMasterDown
	CauseReadOnly
	CauseUnknownNode // it was redirected to a node that the topology does not have
	// Causes is how many there are.
	Causes = int(CauseUnknownNode) + 1
)

// causeCodes are the codes of the errors that are causes; the last one has none of its own.
var causeCodes = [Causes]string{CodeConnection, "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "UNKNOWN_NODE"}

// String returns the code of the error that the cause is.
func (c Cause) String() string { return causeCodes[c] }

// again is why a part is to be sent again: a Cause, or a redirect that it follows. One more than
// that, so that zero says that it is not, or was already.
type again uint8

const (
	againMoved = again(Causes) + 1
	againAsk   = againMoved + 1
)

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

// followed takes note of a redirect that is to be followed.
func (r *run) followed(t *trouble, ask bool) {
	rep := r.report
	if rep == nil {
		return
	}
	t.again, rep.again = againMoved, true
	if ask {
		t.again = againAsk
	}
	if rep.current < len(rep.Sends) {
		rep.Sends[rep.current].Redirected++
	}
}

// putOff takes note of a command that is to be sent again for an error.
func (r *run) putOff(t *trouble, err *CommandError) {
	for cause, code := range causeCodes {
		if code == err.Code {
			r.putOffFor(t, Cause(cause))
			return
		}
	}
}

// putOffFor takes note of a command that is to be sent again.
func (r *run) putOffFor(t *trouble, cause Cause) {
	if r.report != nil {
		t.again, r.report.again = again(cause)+1, true
	}
}

// sentAgain counts a part that was sent, if that was not for the first time. Until then it is not
// certain to be: the time may end before.
func (rep *Report) sentAgain(t *trouble) {
	if t == nil {
		return
	}
	switch t.again {
	case 0:
	case againMoved:
		rep.Moved++
	case againAsk:
		rep.Asked++
	default:
		rep.Retries[t.again-1]++
	}
	t.again = 0
}

// noteRound takes note of a round that is over, before its sub-pipelines are released.
func (r *run) noteRound(p *plan, round []sent) {
	rep := r.report
	if rep == nil {
		return
	}
	rep.planned(r.sentAt)
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
		if rep.again {
			for _, part := range s.parts {
				rep.sentAgain(p.parts[part].trouble)
			}
		}
		rep.sent(r.sentAt, s.addr, s.to, s.batch, len(s.parts), asking)
		if rep.detailed {
			rep.Sends[len(rep.Sends)-1].Slots = p.slots(s.parts)
		}
	}
	if len(round) > 0 {
		rep.Rounds++
	}
}

// planned takes note of the first round, of which nothing may have been sent for want of a node.
func (rep *Report) planned(at time.Time) {
	if rep.Planned.IsZero() {
		rep.Planned = at
	}
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
func (r *run) noteTransaction(tx *part, to node.Target, nb *node.Batch) {
	if r.report == nil {
		return
	}
	asking := 0
	if to.Asking {
		asking = len(r.batch.Commands)
	}
	r.report.planned(r.sentAt)
	r.report.sentAgain(tx.trouble)
	r.report.base = len(r.report.Sends)
	r.report.current = r.report.base
	r.report.sent(r.sentAt, tx.node, to, nb, len(r.batch.Commands), asking)
	r.report.Rounds++
}

func (rep *Report) sent(at time.Time, addr string, to node.Target, nb *node.Batch, commands, asking int) {
	written, settled := nb.Times()
	rep.Sends = append(rep.Sends, Send{
		Round: rep.Rounds, Node: addr, Lane: to.Class, Replica: to.Replica,
		Commands: commands, Bytes: nb.Bytes(), Asking: asking,
		Start: at, Written: written, End: settled, Err: nb.Err(),
	})
}

// tell tells the observer what became of the batch.
func (r *run) tell(results *Results, err error) {
	rep := r.report
	if slices.ContainsFunc(rep.Sends, func(s Send) bool { return !s.Written.IsZero() }) {
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
