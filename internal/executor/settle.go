package executor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// unsentAttempts is how often a command that was certainly never written is sent again
// when the caller asked for no retries: enough to outlive a connection that was closed
// while idle and a failover that is over, too few to make the healthy nodes' results wait.
const unsentAttempts = 3

// settle reads what came of a round. Every part that took part in it is done afterwards, or
// has trouble that says how it goes on. The error, if any, ends the whole batch.
func (r *run) settle(ctx context.Context, p *plan, round []sent) error {
	for i := range round {
		s := &round[i]
		if s.panicked != nil {
			return s.panicked
		}
		if limit := limitError(s.batch.Err()); limit != nil {
			return limit
		}
	}
	for i := range round {
		s := &round[i]
		r.settling(i)
		failure := s.batch.Err()
		if failure != nil && interrupted(failure) && errors.Is(failure, context.DeadlineExceeded) {
			r.overdue(s.to.Class)
		}
		for n, index := range s.parts {
			pt := &p.parts[index]
			reply, state := s.state(n)
			switch {
			case state == node.Acknowledged && !resp.Frame(reply).IsError():
				pt.finish(reply)
			case state == node.Acknowledged:
				r.settleError(ctx, pt, reply)
			default:
				r.settleUnanswered(pt, state, failure)
			}
		}
	}
	r.learn()
	p.align()
	return nil
}

// limitError translates the node package's limit error.
func limitError(err error) error {
	if err == nil {
		return nil
	}
	var limit *node.LimitError
	if errors.As(err, &limit) {
		return &LimitError{What: limit.What, Actual: limit.Actual, Allowed: limit.Allowed}
	}
	return nil
}

// settleError decides on a part that the node answered with an error.
func (r *run) settleError(ctx context.Context, pt *part, f resp.Frame) {
	it := r.items[pt.cmd]
	err := serverError(f, it, pt.args, pt.node)
	switch classify(err.Code) {
	case redirected:
		if r.follow(ctx, pt, err, it) {
			return
		}
	case passing:
		again := retriable(err, it)
		if again && r.opts.RetryServerError {
			r.wait(pt, err, it)
			return
		}
		if err.Code != "TRYAGAIN" && (again || raisedInside(err.Message)) {
			r.cfg.Map.Trigger() // the next batch should find the right node
		}
	}
	pt.fail(err)
}

// settledRedirects is how many redirects are followed at once, and are nothing but the way
// to the right node. More of them are a disagreement between nodes, which may last.
const settledRedirects = 3

// strangers is how often a command is sent again to the owner of its slot because the node that
// it was redirected to is not known: for about half a second.
const strangers = 7

// follow makes a part go where a redirect points, if the redirect is to be believed: well
// formed, about the command's own slot, to a node of the deployment, and not one too many.
// Any of it can be a script's own words, said after it has run: a script is never sent back
// to a node that redirected it, so that no node runs it twice.
func (r *run) follow(ctx context.Context, pt *part, reply *CommandError, it item) bool {
	if !r.cluster || pt.slot == keyless {
		return false
	}
	rd, ok := parseRedirect(reply.Message, pt.node)
	if !ok || rd.slot != pt.slot {
		return false
	}
	topo := r.cfg.Map.Load()
	if !topo.Has(rd.addr) {
		if r.looked {
			return r.stranger(pt, reply, it) // one look a round is enough for all that it has to show
		}
		r.looked = true
		r.learn() // before it, so that what it brings has the last word
		// Without an answer in time the redirect stays in place, beside the other results.
		within, cancel := context.WithDeadline(ctx, r.end())
		fresh, err := r.cfg.Map.Refresh(within)
		cancel()
		if err != nil {
			return false
		}
		if !fresh.Has(rd.addr) {
			return r.stranger(pt, reply, it)
		}
		topo = fresh
	}
	t := pt.troubled()
	if t.redirects >= r.cfg.MaxRedirects {
		return false
	}
	if it.scripted() {
		t.asked = append(t.asked, pt.node)
		if slices.Contains(t.asked, rd.addr) {
			return false
		}
	}
	t.redirects++
	r.followed(t, rd.ask)
	t.to, t.asking, t.due = rd.addr, rd.ask, time.Time{}
	if rd.ask {
		t.owner, _ = topo.Primary(uint16(rd.slot))
	} else {
		r.learnMoved(rd, pt.node, it)
	}
	if t.redirects > settledRedirects {
		// Nodes that send a command to and fro need a moment to agree. If the time is too
		// short for that, the redirect stays in place and the other results are not lost.
		t.last, t.due = reply, r.due(t.redirects-settledRedirects)
	}
	return true
}

// stranger puts a part off that was redirected to a node which the topology does not have, not
// even after a look. Nodes tell each other of one that has joined, and by which name clients
// know it ("?" until then), within a moment. Not so of a script's, which may have made it up.
func (r *run) stranger(pt *part, reply *CommandError, it item) bool {
	t := pt.troubled()
	if it.scripted() || t.strangers >= strangers {
		return false
	}
	t.strangers++
	r.putOffFor(t, CauseUnknownNode)
	t.last, t.to, t.asking = reply, "", false
	t.due = r.due(t.strangers)
	r.stale = true
	return true
}

// learnMoved takes note of a MOVED reply, until learn. A script can make one up, so that of a
// script only starts a refresh.
func (r *run) learnMoved(rd redirect, from string, it item) {
	if it.scripted() {
		r.cfg.Map.Trigger()
		return
	}
	if rd.addr == from {
		// The node names itself: something else answers at this connection's other end.
		r.reconnect(from)
	}
	if r.moved == nil {
		r.moved = make(map[uint16]string)
	}
	r.moved[uint16(rd.slot)] = rd.addr
}

// wait puts a part off that was refused for a passing condition.
func (r *run) wait(pt *part, err *CommandError, it item) {
	t := pt.troubled()
	t.last, t.asked = err, nil
	t.attempts++
	r.putOff(t, err)
	t.due = r.due(t.attempts)
	if err.Code == "TRYAGAIN" && t.asking {
		topo := r.cfg.Map.Load()
		if owner, ok := topo.Primary(uint16(pt.slot)); ok && owner == t.owner {
			return // the slot is still migrating: ask the importing node again
		}
	}
	t.to, t.asking = "", false
	switch err.Code {
	case "READONLY":
		if !it.scripted() {
			r.reconnect(pt.node) // a name may lead to another server by now
		}
		r.stale = true
	case "CLUSTERDOWN", "MASTERDOWN":
		r.stale = true
	}
}

// settleUnanswered decides on a part without an answer.
func (r *run) settleUnanswered(pt *part, state node.State, failure error) {
	t := pt.troubled()
	err := &CommandError{Code: CodeConnection, Node: pt.node, Outcome: NotExecuted}
	if state == node.Unknown {
		err.Outcome = Unknown
	}
	if interrupted(failure) {
		// Time is up. What was only a retry keeps its error; the rest ends the batch.
		if t.last == nil {
			r.over = true
			return
		}
		if state == node.NotSent {
			pt.fail(t.last)
			return
		}
		err.Code, err.Message = CodeTimeout, "the retry was not answered in time; before: "+t.last.Message
		pt.fail(err)
		return
	}
	err.Message = failure.Error() // names the node
	r.stale = true
	retry := r.opts.RetryConnectionError
	if state == node.NotSent {
		retry = retry || (t.attempts < unsentAttempts && !hangs(failure))
	}
	if !retry {
		r.cfg.Map.Trigger() // for the batches to come
		pt.fail(err)
		return
	}
	t.last, t.asked = err, nil
	t.unsure = t.unsure || state == node.Unknown
	t.attempts++
	r.putOff(t, err)
	t.to, t.asking = "", false
	t.due = r.due(t.attempts)
}

// hangs reports whether a node could not be connected to because it does not answer. To wait
// for it once more would hold up the other nodes' results.
func hangs(failure error) bool {
	var lost *node.ConnectionError
	return errors.As(failure, &lost) && lost.Timeout
}

// interrupted reports whether a sub-pipeline failed because the batch's own time was up. A
// dial that took too long is a timeout as well, but the node's.
func interrupted(failure error) bool {
	var lost *node.ConnectionError
	return !errors.As(failure, &lost) &&
		(errors.Is(failure, context.DeadlineExceeded) || errors.Is(failure, context.Canceled))
}
