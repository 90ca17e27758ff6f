package executor

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
)

// sent is a group on its way and back.
type sent struct {
	*group
	batch *node.Batch
	// index holds, per part of the group, the position of its command in batch: ASKING
	// and SELECT commands that the executor adds stand between them. Nil: position i.
	index []int32
	// panicked is a defect met while sending; the batch then proves nothing.
	panicked *PanicError
	// node and to are where it is sent.
	node *node.Node
	to   node.Target
}

// state returns what is known of the i-th part of the group.
func (s *sent) state(i int) (reply []byte, state node.State) {
	if s.index != nil {
		i = int(s.index[i])
	}
	return s.batch.Reply(i)
}

var (
	asking = [][]byte{[]byte("ASKING")}
	selekt = []byte("SELECT")
	dbZero = []byte("0")
)

// dispatch sends every group to its node at once and waits for all of them. Groups that only
// retry are given up at end, the others at the end of ctx; each then tells what it knows.
//
// Groups for which a connection is at hand are queued and waited for by this goroutine; only
// the others have one of their own, for what they have to wait for first.
func (r *run) dispatch(ctx context.Context, end time.Time, p *plan, groups []group) []sent {
	r.sentAt = time.Now()
	clear(r.sent)
	r.sent = slices.Grow(r.sent[:0], len(groups))[:len(groups)]
	sending := r.sent
	retried := false
	for i := range groups {
		s := &sending[i]
		s.group = &groups[i]
		retried = retried || s.retried
		r.guard(s, func() {
			s.encode(r, p)
			s.address(r, p)
		})
		if s.panicked != nil {
			return sending[:i+1]
		}
	}
	var softEnd <-chan time.Time
	if retried {
		timer := time.NewTimer(time.Until(end))
		defer timer.Stop()
		softEnd = timer.C
	}
	// From Start to Flush nothing may go wrong: others rely on what is queued being written.
	var others []*sent
	for i := range sending {
		s := &sending[i]
		if !r.round.Start(s.node, s.to, s.batch, s.retried) {
			others = append(others, s)
		}
	}
	r.round.Flush()
	if len(others) > 0 {
		r.sendOthers(ctx, end, softEnd, others, len(others) == len(sending))
	} else {
		r.awaitRound(softEnd)
	}
	for i := range sending {
		if sending[i].batch.Held() {
			r.keep()
		}
	}
	return sending
}

// sendOthers carries out the groups that could not be queued at once, and waits for them and
// for the round. A batch over a limit fails as a whole, so it ends the others too.
func (r *run) sendOthers(ctx context.Context, end time.Time, softEnd <-chan time.Time, others []*sent, all bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	soft, cancelSoft := context.WithDeadline(ctx, end)
	defer cancelSoft()
	send := func(s *sent) {
		within := ctx
		if s.retried {
			within = soft
		}
		r.guard(s, func() { s.node.Do(within, s.to, s.batch) })
		if s.panicked != nil || limitError(s.batch.Err()) != nil {
			cancel()
		}
	}
	var wg sync.WaitGroup
	for i, s := range others {
		if all && i == len(others)-1 {
			send(s) // the last one needs no goroutine of its own
			break
		}
		wg.Go(func() { send(s) })
	}
	if !all {
		r.round.Wait(ctx, softEnd, nil)
		for i := range r.sent { // of these only what was in the round is settled for certain
			if s := &r.sent[i]; !slices.Contains(others, s) && limitError(s.batch.Err()) != nil {
				cancel()
			}
		}
	}
	wg.Wait()
}

// awaitRound waits for the round, until the caller gives up or the time of the batch is up.
func (r *run) awaitRound(softEnd <-chan time.Time) {
	if r.timer == nil {
		r.timer = time.NewTimer(time.Until(r.deadline))
	} else {
		r.timer.Reset(time.Until(r.deadline))
	}
	r.round.Wait(r.caller, softEnd, r.timer.C)
	r.timer.Stop()
}

// guard runs a step of sending a group. A panic in it is kept for the group.
func (r *run) guard(s *sent, step func()) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	step()
}

// address says where the group's sub-pipeline goes.
func (s *sent) address(r *run, p *plan) {
	s.node = r.pool.Get(s.addr)
	s.to = node.Target{Class: s.class(r, p), Replica: s.replica}
	if s.to.Class == node.Ordinary && (s.batch.Bytes() > r.cfg.BulkBytes || s.batch.Len() > r.cfg.BulkCommands) {
		s.to.Class = node.Bulk
	}
}

// class returns the class of connection that the group's commands need.
func (s *sent) class(r *run, p *plan) node.Class {
	class := node.Ordinary
	if !r.apart {
		return class
	}
	if r.selects {
		class = node.Exclusive // also for what is resent without the SELECT before it
	}
	for _, i := range s.parts {
		switch r.items[p.parts[i].cmd].class {
		case node.Blocking:
			return node.Blocking
		case node.Exclusive:
			class = node.Exclusive
		}
	}
	return class
}

// encode writes the group's commands into its sub-pipeline.
func (s *sent) encode(r *run, p *plan) {
	s.batch = node.NewBatch(len(s.parts), r.budget)
	if r.report != nil {
		s.batch.Time()
	}
	var db dbTracker
	for n, i := range s.parts {
		pt := &p.parts[i]
		if r.selects {
			db.before(r, p, i, s.hidden(n))
		}
		if pt.trouble != nil && pt.trouble.asking {
			s.hidden(n)(asking)
		}
		if s.index != nil {
			s.index = append(s.index, int32(s.batch.Len()))
		}
		s.batch.Add(pt.args)
	}
	if r.selects && db.have != nil {
		// The connection is left as it was found, or not used again.
		s.hidden(len(s.parts))([][]byte{selekt, dbZero})
		s.batch.Restores()
	}
}

// hidden returns a function that adds a command of the executor's own before the n-th part.
func (s *sent) hidden(n int) func(args [][]byte) {
	return func(args [][]byte) {
		if s.index == nil {
			s.index = make([]int32, n, len(s.parts))
			for j := range s.index {
				s.index[j] = int32(j)
			}
		}
		s.batch.Add(args)
	}
}
