package inject

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
)

// Kill is kill -9 of a primary, whose replica takes its place; it comes back as a replica.
var Kill = Fault{Name: "kill -9 of a primary, promotion", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{
		Codes: []string{"CLUSTERDOWN", "READONLY"}, Disconnects: true, Loses: true, Unserved: true,
	})
	if err != nil {
		return err
	}
	replica, err := e.Replica(ctx, n)
	if err != nil {
		return err
	}
	w := e.begin("kill", effects)
	if err := n.Kill(ctx); err != nil {
		return err
	}
	if err := e.Local().WaitFailover(ctx, replica.Node); err != nil {
		return err
	}
	w.promoted()
	return w.heal(ctx, func() error { return n.Start(ctx) })
}}

// Stop is SIGSTOP of a primary until its replica has taken its place, and SIGCONT then: for
// a moment there are two primaries, of which one is no more.
var Stop = Fault{Name: "SIGSTOP of a primary, promotion, SIGCONT", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{
		Codes: []string{"CLUSTERDOWN", "READONLY", "UNBLOCKED"}, Disconnects: true, Hangs: true, Loses: true, Unserved: true,
	})
	if err != nil {
		return err
	}
	replica, err := e.Replica(ctx, n)
	if err != nil {
		return err
	}
	w := e.begin("stop", effects)
	if err := n.Pause(); err != nil {
		return err
	}
	if err := e.Local().WaitFailover(ctx, replica.Node, n.Node); err != nil {
		return err
	}
	w.promoted()
	return w.heal(ctx, n.Resume)
}}

// Freeze is SIGSTOP and SIGCONT of a primary, too short for a promotion or without replicas.
var Freeze = Fault{Name: "SIGSTOP, SIGCONT of a primary", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{Codes: []string{"CLUSTERDOWN"}, Disconnects: true, Hangs: true, Unserved: true})
	if err != nil {
		return err
	}
	w := e.begin("freeze", effects)
	if err := n.Pause(); err != nil {
		return err
	}
	return w.heal(ctx, n.Resume)
}}

// Failover is CLUSTER FAILOVER: nothing is lost by it.
var Failover = Fault{Name: "manual failover", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{Codes: []string{"CLUSTERDOWN", "READONLY", "UNBLOCKED"}, Hangs: true})
	if err != nil {
		return err
	}
	replica, err := e.Replica(ctx, n)
	if err != nil {
		return err
	}
	effects.Nodes = names(n, replica)
	w := e.begin("failover", effects)
	if err := e.Local().Failover(ctx, replica.Node); err != nil {
		return err
	}
	w.promoted()
	w.end()
	return nil
}}

// Crash is kill -9 of a primary that nothing replaces; it is started again after a while.
var Crash = Fault{Name: "kill -9 of a primary, restart", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{Codes: []string{"CLUSTERDOWN", "LOADING"}, Disconnects: true, Unserved: true})
	if err != nil {
		return err
	}
	return restart(ctx, e, "crash", effects, n)
}}

// Blackout is Crash in a cluster that serves nothing when it does not serve all slots.
var Blackout = Fault{Name: "CLUSTERDOWN", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{Codes: []string{"CLUSTERDOWN", "LOADING"}, Disconnects: true, Unserved: true})
	if err != nil {
		return err
	}
	effects.Slots = nil
	return restart(ctx, e, "blackout", effects, n)
}}

// Restart is kill -9 of every node at once, and a start of all of them after a while.
var Restart = Fault{Name: "restart of everything", Do: func(ctx context.Context, e *Env) error {
	nodes := e.Nodes()
	effects := history.Effects{Nodes: names(nodes...), Codes: []string{"CLUSTERDOWN", "LOADING", "MASTERDOWN"}, Disconnects: true, Unserved: true}
	return restart(ctx, e, "restart", effects, nodes...)
}}

// restart kills nodes and starts them again. A process that begins takes connections before it
// says anything on them, so that batches may run out of time.
func restart(ctx context.Context, e *Env, name string, effects history.Effects, nodes ...*deploy.Node) error {
	effects.Hangs = true
	w := e.begin(name, effects)
	if err := each(nodes, func(n *deploy.Node) error { return n.Kill(ctx) }); err != nil {
		return err
	}
	return w.heal(ctx, func() error {
		return each(nodes, func(n *deploy.Node) error { return n.Start(ctx) })
	})
}

// heal lets the fault last, undoes it, and closes it when the deployment is well again.
func (w *window) heal(ctx context.Context, undo func() error) error {
	if err := w.e.hold(ctx, w.e.Hold); err != nil {
		return err
	}
	if err := undo(); err != nil {
		return err
	}
	if err := w.e.Settle(ctx); err != nil {
		return err
	}
	w.end()
	return nil
}

// each does the same to all nodes at once.
func each(nodes []*deploy.Node, do func(n *deploy.Node) error) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { errs[i] = do(n) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Loading is a primary that is there and reads its data, which takes it a while.
var Loading = Fault{Name: "LOADING", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{Codes: []string{"LOADING", "CLUSTERDOWN"}, Hangs: true, Disconnects: true, Unserved: true})
	if err != nil {
		return err
	}
	reply, err := n.MustOK(ctx, "DBSIZE")
	if err != nil {
		return err
	}
	keys, err := reply.Int()
	if err != nil {
		return err
	}
	c, err := n.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	// The server looks at its clients now and then while it loads.
	for _, line := range [][]string{
		{"CONFIG", "SET", "loading-process-events-interval-bytes", "1024"},
		{"CONFIG", "SET", "key-load-delay", fmt.Sprint(max(1, e.Hold.Microseconds()/max(1, keys)))},
	} {
		if _, err := n.MustOK(ctx, line...); err != nil {
			return err
		}
	}
	w := e.begin("loading", effects)
	if _, err := c.Do(ctx, "DEBUG", "RELOAD"); err != nil {
		return err
	}
	if _, err := n.MustOK(ctx, "CONFIG", "SET", "key-load-delay", "0"); err != nil {
		return err
	}
	if err := e.Settle(ctx); err != nil {
		return err
	}
	w.end()
	return nil
}}

// pause between two steps of the same fault.
const pause = 50 * time.Millisecond
