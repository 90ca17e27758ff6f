package executor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// atomic carries out a batch as a transaction. As long as the transaction is certain not to
// have run, it is redirected or sent again as a whole; once it may have run, never.
func (r *run) atomic(ctx context.Context, topo *slotmap.Topology) (*Results, error) {
	slot, err := r.oneSlot()
	if err != nil {
		return nil, err
	}
	if err := r.unknownCommands(); err != nil {
		return nil, err
	}
	end := r.end()
	tx := part{slot: slot}
	turn := r.route.turn
	for {
		to, ok := r.atomicTarget(topo, &tx, turn)
		if !ok {
			return nil, &UnavailableError{Cause: errors.New("no node of the deployment fits")}
		}
		tx.node = to.addr
		nb := r.transaction(ctx, &tx, to)
		results, err := r.settleAtomic(ctx, &tx, nb)
		nb.Release()
		if err != nil || results != nil {
			return results, err
		}
		// Nothing ran, and it is worth another try.
		if tooLate(tx.trouble.due, end) {
			return r.atomicGivenUp(ctx, &tx)
		}
		topo = r.newerTopology(ctx, topo)
		if err := sleepUntil(ctx, tx.trouble.due); err != nil {
			return r.atomicEnded(ctx, &tx)
		}
	}
}

// unknownCommands returns the error of a transaction with commands that the deployment does
// not know, which it would refuse to queue; nil if there are none.
func (r *run) unknownCommands() error {
	var discarded *DiscardedError
	for i := range r.items {
		switch {
		case r.items[i].info != nil:
		case discarded != nil:
			discarded.Failed++
		default:
			args := r.batch.Commands[i]
			discarded = &DiscardedError{Index: i, Command: r.items[i].name(args), Err: r.items[i].unknownCommand(args), Failed: 1}
		}
	}
	if discarded == nil {
		return nil
	}
	return discarded
}

// oneSlot returns the slot in which all keys of the batch lie, or keyless.
func (r *run) oneSlot() (int32, error) {
	first := -1
	for i := range r.items {
		it := &r.items[i]
		if it.slot == keyless {
			continue
		}
		if first < 0 {
			first = i
		}
		slot, other := r.items[first].slot, it.slot
		if other == slot {
			other = it.otherSlot
		}
		if other == keyless || other == slot {
			continue
		}
		err := r.invalid(i, "CROSS_SLOT", fmt.Sprintf(
			"the keys of an atomic batch must lie in one slot: command %d has a key in slot %d, command %d in slot %d; keys with the same {hash tag} share a slot",
			first, slot, i, other)).(*InvalidError)
		err.Metadata["slot"] = strconv.Itoa(int(other))
		err.Metadata["first_index"] = strconv.Itoa(first)
		err.Metadata["first_slot"] = strconv.Itoa(int(slot))
		return 0, err
	}
	if first < 0 {
		return keyless, nil
	}
	return r.items[first].slot, nil
}

// atomicTarget chooses the node for the transaction. A transaction without keys goes to a
// primary, so that it may write.
func (r *run) atomicTarget(topo *slotmap.Topology, tx *part, turn int) (target, bool) {
	attempts := 0
	if t := tx.trouble; t != nil {
		if t.to != "" {
			return target{addr: t.to}, true
		}
		attempts = t.attempts
	}
	switch {
	case r.route.given():
		return r.route.target(topo, attempts)
	case tx.slot != keyless:
		if addr, ok := topo.Primary(uint16(tx.slot)); ok {
			return target{addr: addr}, true
		}
	}
	return anyPrimary(topo, turn+attempts)
}

// transaction sends the batch to a node as MULTI ... EXEC.
func (r *run) transaction(ctx context.Context, tx *part, to target) *node.Batch {
	r.sentAt = time.Now()
	nb := node.NewBatch(len(r.batch.Commands)+1, r.budget)
	for _, args := range r.batch.Commands {
		nb.Add(args)
	}
	if r.selects {
		nb.Add([][]byte{selekt, dbZero}) // runs only if the others do; its reply is dropped
	}
	if r.report != nil {
		nb.Time()
	}
	how := node.Target{
		Class:   node.Atomic,
		Replica: to.replica,
		Asking:  tx.trouble != nil && tx.trouble.asking,
	}
	r.pool.Get(to.addr).Do(ctx, how, nb)
	r.noteTransaction(tx, how, nb)
	if nb.Held() {
		r.keep()
	}
	return nb
}

// settleAtomic reads what came of a transaction. It returns neither results nor an error
// when nothing ran and tx says how it goes on.
func (r *run) settleAtomic(ctx context.Context, tx *part, nb *node.Batch) (*Results, error) {
	r.newRound()
	if limit := limitError(nb.Err()); limit != nil {
		return nil, limit
	}
	var multi *node.MultiRefusedError
	if errors.As(nb.Err(), &multi) {
		return r.settleRefusal(ctx, tx, -1, "multi", resp.Frame(resp.AppendError(nil, multi.Text)), 0)
	}
	answered := nb.ExecState() == node.Acknowledged && nb.Err() == nil
	if answered && !nb.Exec().IsError() {
		return r.unpack(tx, nb.Exec()), nil
	}
	if !strange(nb.Err()) {
		// A command that was not queued makes EXEC refuse, whether or not its answer has come.
		for i := range r.batch.Commands {
			if f, state := nb.Reply(i); state == node.Acknowledged && f.IsError() {
				return r.settleRefusal(ctx, tx, i, r.items[i].name(r.batch.Commands[i]), f, refusedAtQueueing(nb))
			}
		}
	}
	if answered {
		return r.settleRefusal(ctx, tx, -1, "exec", abortCause(nb.Exec()), 0)
	}
	if ctx.Err() != nil {
		if timeUp(ctx) {
			r.overdue(node.Atomic)
		}
		if nb.ExecState() == node.NotSent && !strange(nb.Err()) {
			return r.atomicEnded(ctx, tx)
		}
		return nil, r.deadlineError(ctx, 0)
	}
	failure := &CommandError{Code: CodeConnection, Message: nb.Err().Error(), Node: tx.node, Outcome: NotExecuted}
	if nb.ExecState() != node.NotSent || strange(nb.Err()) {
		failure.Outcome = Unknown
		r.cfg.Map.Trigger()
		return r.everywhere(failure), nil
	}
	t := tx.troubled()
	t.last = failure
	t.attempts++
	r.putOff(t, failure)
	t.to, t.asking = "", false
	t.due = r.due(t.attempts)
	r.stale = true
	if t.attempts > unsentAttempts || hangs(nb.Err()) {
		return r.atomicGivenUp(ctx, tx)
	}
	return nil, nil
}

// strange reports whether a transaction's replies were not those of a transaction, so that
// its commands may have run bare.
func strange(failure error) bool {
	var lost *node.ConnectionError
	return errors.As(failure, &lost) && lost.Op == node.OpProtocol
}

// abortCause returns the error for which EXEC itself was refused, which Valkey wraps, or the
// error as it is.
func abortCause(f resp.Frame) resp.Frame {
	if cause, ok := strings.CutPrefix(f.ErrorText(), "EXECABORT Transaction discarded because of: "); ok {
		return resp.Frame(resp.AppendError(nil, cause))
	}
	return f
}

// refusedAtQueueing counts the commands that the node would not queue.
func refusedAtQueueing(nb *node.Batch) int {
	n := 0
	for i := range nb.Len() {
		if f, state := nb.Reply(i); state == node.Acknowledged && f.IsError() {
			n++
		}
	}
	return n
}

// settleRefusal decides on a transaction that was discarded before it ran, for the first
// error at index (-1: of MULTI or EXEC itself). Such errors are the node's own: nothing of
// the transaction has run, so no script can have made them up.
func (r *run) settleRefusal(ctx context.Context, tx *part, index int, name string, f resp.Frame, failed int) (*Results, error) {
	err := &CommandError{Code: f.ErrorCode(), Message: f.ErrorText(), Outcome: NotExecuted, Node: tx.node}
	discarded := &DiscardedError{Index: index, Command: name, Err: err, Failed: failed}
	switch classify(err.Code) {
	case redirected:
		if r.follow(ctx, tx, err, item{}) {
			r.learn()
			return nil, nil
		}
	case passing:
		t := tx.troubled()
		readOnlyForGood := err.Code == "READONLY" && t.attempts >= unsentAttempts
		r.wait(tx, err, item{})
		if !readOnlyForGood && !tooLate(t.due, r.end()) {
			return nil, nil
		}
	}
	return nil, discarded
}

// unpack makes results of EXEC's reply.
func (r *run) unpack(tx *part, exec resp.Frame) *Results {
	want := len(r.batch.Commands)
	extra := 0
	if r.selects {
		extra = 1
	}
	p := part{reply: exec, node: tx.node}
	all, err := elementsOf(&p)
	if err != nil || all.count != want+extra {
		return r.everywhere(&CommandError{Code: CodeReply, Outcome: Unknown, Node: tx.node,
			Message: fmt.Sprintf("%s answered EXEC of %d commands with something else than an array of their replies", tx.node, want)})
	}
	out := newResults(want)
	for i := range out.Results {
		f, _ := all.next()
		if f.IsError() {
			out.Results[i].Err = serverError(f, r.items[i], r.batch.Commands[i], tx.node)
			out.Failed++
			continue
		}
		out.Results[i].Frame, out.Results[i].Node = f, tx.node
	}
	return out
}

// everywhere makes one error the result of every command.
func (r *run) everywhere(err *CommandError) *Results {
	out := newResults(len(r.batch.Commands))
	out.Failed = len(out.Results)
	for i := range out.Results {
		out.Results[i].Err = err
	}
	return out
}

// atomicEnded decides on a transaction that never ran and whose ctx has ended: when its time is
// up, the last error met says more than that.
func (r *run) atomicEnded(ctx context.Context, tx *part) (*Results, error) {
	if timeUp(ctx) && tx.trouble != nil && tx.trouble.last != nil {
		return r.atomicGivenUp(ctx, tx)
	}
	return nil, r.deadlineError(ctx, 0)
}

// atomicGivenUp ends a transaction that never ran, for the last error met.
func (r *run) atomicGivenUp(ctx context.Context, tx *part) (*Results, error) {
	last := tx.trouble.last
	if last == nil {
		last = &CommandError{Code: CodeConnection, Message: "redirected without end", Outcome: NotExecuted, Node: tx.node}
	}
	if last.Code != CodeConnection {
		return nil, &DiscardedError{Index: -1, Command: "exec", Err: last}
	}
	if !r.reachable(ctx) {
		return nil, &UnavailableError{Cause: last}
	}
	return r.everywhere(last), nil
}
