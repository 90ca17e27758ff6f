package executor

import (
	"context"
	"errors"
	"runtime/debug"
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
func (r *run) dispatch(ctx context.Context, end time.Time, p *plan, groups []group) []sent {
	round := make([]sent, len(groups))
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	soft, cancelSoft := context.WithDeadline(ctx, end)
	defer cancelSoft()
	for i := range groups {
		s := &round[i]
		s.group = &groups[i]
		within := ctx
		if s.retried {
			within = soft
		}
		if i == len(groups)-1 {
			r.send(within, p, s, cancel) // the last one needs no goroutine of its own
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			r.send(within, p, s, cancel)
		}()
	}
	wg.Wait()
	return round
}

// send carries out one group. A batch over a limit fails as a whole, so it ends the others too.
func (r *run) send(ctx context.Context, p *plan, s *sent, cancelRound context.CancelFunc) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked = &PanicError{Value: v, Stack: debug.Stack()}
			cancelRound()
		}
	}()
	s.encode(r, p)
	class := s.class(r, p)
	if class == node.Ordinary && (s.batch.Bytes() > r.cfg.BulkBytes || s.batch.Len() > r.cfg.BulkCommands) {
		class = node.Bulk
	}
	r.cfg.Pool.Get(s.addr).Do(ctx, node.Target{Class: class, Replica: s.replica}, s.batch)
	if s.batch.Held() {
		r.keep()
	}
	var limit *node.LimitError
	if errors.As(s.batch.Err(), &limit) {
		cancelRound()
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
