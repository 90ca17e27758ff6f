package executor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// run is one batch on its way.
type run struct {
	*Executor
	// scratch holds, among others, items: what prepare found out of each command, by index.
	*scratch
	batch    Batch
	opts     options.Options
	start    time.Time
	deadline time.Time
	// caller is the caller's context, which ends when the caller gives up.
	caller context.Context
	// timeout is the time that the batch was given: its own, or its caller's where that is less.
	timeout time.Duration
	budget  *node.Budget
	// pool has the connections that the batch uses.
	pool *node.Pool
	// cluster is whether the deployment is a cluster.
	cluster bool
	// route is the caller's choice of node, resolved anew each round.
	route route
	// selects is whether a command of the batch is SELECT, apart whether one needs a
	// connection to itself.
	selects, apart bool
	// blocks is whether a command of it blocks, unless the batch is atomic.
	blocks bool
	// stale is whether a failure of this round may mean that the topology has changed.
	stale bool
	// over is whether parts were given up because the time of the batch, or its caller's
	// interest, has ended: they may have run, and are never sent again, whatever the clock says.
	over bool
	// looked is whether a redirect of this round to an unknown node has had the topology read anew.
	looked bool
	// reconnected are the nodes whose connections were given up in this round.
	reconnected []string
	// moved is what MOVED said in this round and the slot map does not know yet.
	moved map[uint16]string
	// report is what the observer is to be told; nil: there is none.
	report *Report
	// sentAt is when the round was sent.
	sentAt time.Time
	// dues holds when what failed in this round may be sent again, by number of failures.
	dues [maxSteps + 1]time.Time
}

func (r *run) execute(ctx context.Context) (*Results, error) {
	topo, err := r.topology(ctx)
	if err != nil {
		var unavailable *UnavailableError
		if errors.As(err, &unavailable) {
			return nil, err
		}
		return nil, r.deadlineError(ctx, 0)
	}
	r.cluster = topo.IsCluster()
	if err := r.opts.CheckKind(kindOf(topo)); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if topo, err = r.resolveRoute(ctx, topo); err != nil {
		return nil, err
	}
	if r.batch.Atomic {
		return r.atomic(ctx, topo)
	}
	if r.blocks {
		n := r.blocking.Add(1)
		defer r.blocking.Add(-1)
		if most := r.cfg.MaxBlocking; most > 0 && n > most {
			return nil, &OverloadError{Actual: n, Allowed: most}
		}
	}
	return r.pipeline(ctx, topo)
}

// keep tells the owner of the arguments that a connection may still read them.
func (r *run) keep() {
	if r.batch.Owner != nil {
		r.batch.Owner.Keep()
	}
}

// kindOf names the kind of a topology's deployment.
func kindOf(topo *slotmap.Topology) options.Kind {
	if topo.IsCluster() {
		return options.KindCluster
	}
	return options.KindStandalone
}

// end is the time from which no retry is begun and the topology is not waited for, a little
// before the deadline, so that what is known by then still reaches the caller in time.
func (r *run) end() time.Time {
	margin := min(max(r.deadline.Sub(r.start)/20, 5*time.Millisecond), 250*time.Millisecond)
	return r.deadline.Add(-margin)
}

// tooLate reports whether a retry that is due then is not worth beginning, a little before end.
// It is to have at least as long to be answered as it waits first: one that is cut off leaves
// OUTCOME_UNKNOWN where the refusal before it left OUTCOME_NOT_EXECUTED.
func tooLate(due, end time.Time) bool {
	return due.Add(max(0, time.Until(due))).After(end)
}

// reachable reports whether the deployment answers at all, asking it if need be. It does as
// long as the contrary is not found out in time.
func (r *run) reachable(ctx context.Context) bool {
	if !r.cluster {
		return false // only asked after its one node failed
	}
	ctx, cancel := context.WithDeadline(ctx, r.end())
	defer cancel()
	_, err := r.cfg.Map.Refresh(ctx)
	return err == nil || ctx.Err() != nil
}

// newRound forgets what concerned the last round only.
func (r *run) newRound() {
	r.looked, r.reconnected = false, r.reconnected[:0]
	clear(r.dues[:])
}

// silence is how long a node that answers is not expected to take for commands that neither
// block nor are slow.
const silence = time.Second

// overdue takes note that a round to a node was given up when the time was up. A node that
// has taken long to answer may be about to be replaced; one that was given little time, or is
// waiting for what a blocking command waits for, is as good as any. A long script looks like a
// node that hangs.
func (r *run) overdue(class node.Class) {
	if class != node.Blocking && time.Since(r.sentAt) >= silence {
		r.cfg.Map.Trigger()
	}
}

// reconnect gives up the connections to a node, once in a round however many commands suggest it.
func (r *run) reconnect(addr string) {
	if !slices.Contains(r.reconnected, addr) {
		r.reconnected = append(r.reconnected, addr)
		r.pool.Get(addr).Recycle()
	}
}

// learn brings the slot map up to date with what MOVED said in this round: all at once, since
// a slot map is copied to be changed.
func (r *run) learn() {
	if len(r.moved) > 0 {
		r.cfg.Map.Moved(r.moved)
		clear(r.moved)
	}
}

// due returns when a part that failed in this round for the n-th time may be sent again: the
// same moment for all of them, so that they go together and in their order. Of the time that is
// left a pause takes a quarter at most: a batch with little time would otherwise give up with
// half of it left, since the next pause does not fit in.
func (r *run) due(n int) time.Time {
	n = min(n, maxSteps)
	if r.dues[n].IsZero() {
		r.dues[n] = time.Now().Add(min(backoff(n), max(time.Until(r.end())/4, shortPause)))
	}
	return r.dues[n]
}

// refreshPatience bounds how long a batch waits for a look at the topology before it goes
// on with what is known.
const refreshPatience = time.Second

// newerTopology returns the snapshot for the next round. After a failure that another
// topology may explain it looks anew first.
func (r *run) newerTopology(ctx context.Context, before *slotmap.Topology) *slotmap.Topology {
	if r.stale {
		r.stale = false
		// Never beyond the end: what is known by then is still to reach the caller.
		until := time.Now().Add(refreshPatience)
		if end := r.end(); end.Before(until) {
			until = end
		}
		ctx, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		// Without an answer the old snapshot has to do: the error shows on the commands.
		_, _ = r.cfg.Map.Refresh(ctx)
	}
	if t := r.cfg.Map.Load(); t != nil && t.IsCluster() == r.cluster {
		return t
	}
	return before
}
