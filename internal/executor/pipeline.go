package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// pipeline carries out a batch that is not atomic, in rounds: each sends what is unsettled
// and due, until nothing is.
func (r *run) pipeline(ctx context.Context, topo *slotmap.Topology) (*Results, error) {
	p, at, err := planPipeline(r.parts, r.batch.Commands, r.items, topo, r.route.given())
	r.parts = p.parts // for the next batch
	if err != nil {
		return nil, r.invalid(at, "ROUTE_REQUIRED", fmt.Sprintf("%s walks one node's keys, so on a cluster it needs a route (cluster_options.route)", r.items[at].name(r.batch.Commands[at])))
	}
	if ctx.Err() != nil { // nobody waits for it any more: nothing of it is sent
		return nil, r.deadlineError(ctx, 0)
	}
	end := r.end()
	for {
		r.newRound()
		groups, lost := r.assign(&p, topo, r.route, r.route.turn, time.Now())
		r.settleLost(&p, lost)
		round := r.dispatch(ctx, end, &p, groups)
		r.noteRound(&p, round)
		if err := r.settle(ctx, &p, round); err != nil {
			return nil, err
		}
		for i := range round {
			round[i].batch.Release()
		}
		due, pending := p.next()
		if !pending {
			break
		}
		if r.over || ctx.Err() != nil {
			if err := r.ended(ctx, &p); err != nil {
				return nil, err
			}
			break
		}
		if tooLate(due, end) {
			if p.giveUp() {
				break
			}
			due, _ = p.next() // redirects are left, which need no pause
		}
		topo = r.newerTopology(ctx, topo)
		if err := sleepUntil(ctx, due); err != nil {
			if err := r.ended(ctx, &p); err != nil {
				return nil, err
			}
			break
		}
	}
	return r.assemble(ctx, &p)
}

// ended decides on a batch whose ctx has ended. When its time is up and only retries were
// left, their last errors stay in place, and the other results are not lost.
func (r *run) ended(ctx context.Context, p *plan) error {
	answered := p.answered()
	if timeUp(ctx) && p.giveUp() {
		return nil
	}
	return r.deadlineError(ctx, answered)
}

// settleLost decides on parts for which the topology has no node at all.
func (r *run) settleLost(p *plan, lost []int32) {
	for _, i := range lost {
		pt := &p.parts[i]
		pt.node = ""
		r.settleUnanswered(pt, 0, errors.New("no node of the deployment fits"))
	}
}

// next returns when the first part that is not done is due, and whether there is one.
func (p *plan) next() (due time.Time, pending bool) {
	for i := range p.parts {
		pt := &p.parts[i]
		if pt.done {
			continue
		}
		var at time.Time
		if pt.trouble != nil {
			at = pt.trouble.due
		}
		if !pending || at.Before(due) {
			due, pending = at, true
		}
	}
	return due, pending
}

// giveUp leaves the last errors in place as results. It reports whether everything is done then.
func (p *plan) giveUp() bool {
	all := true
	for i := range p.parts {
		pt := &p.parts[i]
		if pt.done {
			continue
		}
		if pt.trouble == nil || pt.trouble.last == nil {
			all = false
			if pt.trouble != nil {
				pt.trouble.due = time.Time{}
			}
			continue
		}
		pt.fail(pt.trouble.last)
	}
	return all
}

// align lets the pending parts of a slot, and those without a slot, go together when the
// last of them may, so that they keep their order.
func (p *plan) align() {
	var due map[int32]time.Time
	for i := range p.parts {
		pt := &p.parts[i]
		if pt.done || pt.trouble == nil || pt.trouble.due.IsZero() {
			continue
		}
		if due == nil {
			due = make(map[int32]time.Time)
		}
		if pt.trouble.due.After(due[pt.slot]) {
			due[pt.slot] = pt.trouble.due
		}
	}
	if due == nil {
		return
	}
	for i := range p.parts {
		if pt := &p.parts[i]; !pt.done && pt.trouble != nil {
			pt.trouble.due = due[pt.slot]
		}
	}
}

// answered counts the commands that every node concerned has answered.
func (p *plan) answered() int {
	answered, cmd, open := 0, int32(-1), true
	for i := range p.parts {
		pt := &p.parts[i]
		if pt.cmd != cmd {
			if !open {
				answered++
			}
			cmd, open = pt.cmd, false
		}
		open = open || !pt.done
	}
	if !open {
		answered++
	}
	return answered
}

// sleepUntil waits for a point in time, or the end of ctx.
func sleepUntil(ctx context.Context, at time.Time) error {
	d := time.Until(at)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
