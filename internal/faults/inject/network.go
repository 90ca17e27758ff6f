package inject

import (
	"context"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/proxy"
)

// Cut is a network that lets nothing through between a primary and its clients, neither way.
// Its cluster goes on to see it, so that nothing takes its place.
var Cut = Fault{Name: "network cut of a primary, both ways", Do: func(ctx context.Context, e *Env) error {
	return e.weather(ctx, "cut", history.Effects{Hangs: true, Disconnects: true, Unserved: true}, proxy.Condition{Withheld: true}, false)
}}

// Dead is an address at which nothing listens any more, though the cluster names it.
var Dead = Fault{Name: "connections reset and refused", Do: func(ctx context.Context, e *Env) error {
	return e.weather(ctx, "dead", history.Effects{Disconnects: true, Unserved: true}, proxy.Condition{Refuse: true}, true)
}}

// Slow is a network that takes long and lets little through.
var Slow = Fault{Name: "a slow node", Do: func(ctx context.Context, e *Env) error {
	return e.weather(ctx, "slow", history.Effects{Hangs: true, Disconnects: true, Unserved: true},
		proxy.Condition{Latency: 100 * time.Millisecond, Rate: 256 << 10}, false)
}}

// MidReply and MidRequest reset connections after a few bytes, again and again.
var (
	MidReply = Fault{Name: "resets mid-reply", Do: func(ctx context.Context, e *Env) error {
		return e.weather(ctx, "mid-reply", history.Effects{Disconnects: true, Unserved: true}, proxy.Condition{ResetDown: 4 << 10}, false)
	}}
	MidRequest = Fault{Name: "resets mid-request", Do: func(ctx context.Context, e *Env) error {
		return e.weather(ctx, "mid-request", history.Effects{Disconnects: true, Unserved: true}, proxy.Condition{ResetUp: 8 << 10}, false)
	}}
)

// weather makes a primary's network bad for a while.
func (e *Env) weather(ctx context.Context, name string, effects history.Effects, c proxy.Condition, reset bool) error {
	n, effects, err := e.aimed(ctx, effects)
	if err != nil {
		return err
	}
	w := e.begin(name, effects)
	if err := n.Proxy.Set(c); err != nil {
		return err
	}
	if reset {
		n.Proxy.Reset()
	}
	if err := e.hold(ctx, e.Hold); err != nil {
		return err
	}
	if err := n.Proxy.Set(proxy.Condition{}); err != nil {
		return err
	}
	w.end()
	return nil
}

// Drops resets all of one primary's connections, again and again; DropsAll those of all nodes.
var (
	Drops = Fault{Name: "one primary's connections reset", Do: func(ctx context.Context, e *Env) error {
		n, effects, err := e.aimed(ctx, history.Effects{Disconnects: true})
		if err != nil {
			return err
		}
		return e.drop(ctx, "drops", effects, n)
	}}
	DropsAll = Fault{Name: "all connections reset", Do: func(ctx context.Context, e *Env) error {
		nodes := e.Nodes()
		return e.drop(ctx, "drops of all", history.Effects{Nodes: names(nodes...), Disconnects: true}, nodes...)
	}}
)

func (e *Env) drop(ctx context.Context, name string, effects history.Effects, nodes ...*deploy.Node) error {
	w := e.begin(name, effects)
	for range max(1, int(e.Hold/(4*pause))) {
		for _, n := range nodes {
			n.Proxy.Reset()
		}
		if err := e.hold(ctx, pause+pauseOf(e)); err != nil {
			return err
		}
	}
	w.end()
	return nil
}

// KillClients has a primary hang up on all its clients, again and again (CLIENT KILL). The harness is
// one of them: it goes together with no fault that asks servers for anything.
var KillClients = Fault{Name: "CLIENT KILL", Do: func(ctx context.Context, e *Env) error {
	n, effects, err := e.aimed(ctx, history.Effects{Disconnects: true})
	if err != nil {
		return err
	}
	w := e.begin("client kill", effects)
	for range max(1, int(e.Hold/(4*pause))) {
		if _, err := n.MustOK(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); err != nil {
			return err
		}
		if err := e.hold(ctx, pause+pauseOf(e)); err != nil {
			return err
		}
	}
	w.end()
	return nil
}}

// Swap makes the addresses of two primaries lead to each other, as after a restart that mixes
// up addresses: each then says of its slots that the address which was asked has them, and commands
// go to and fro until their time is up. The connections that are made meanwhile go on to lead to
// the wrong one when it is over.
var Swap = Fault{Name: "two addresses swapped", Do: func(ctx context.Context, e *Env) error {
	primaries, err := e.Primaries(ctx)
	if err != nil {
		return err
	}
	i := e.Random.IntN(len(primaries))
	a, b := primaries[i], primaries[(i+1)%len(primaries)]
	slots, err := e.slotsOf(ctx, a, b)
	if err != nil {
		return err
	}
	w := e.begin("swap", history.Effects{Nodes: names(a, b), Slots: slots, Codes: []string{"MOVED"}, Disconnects: true, Hangs: true, Unserved: true})
	a.Proxy.Lead(b.Node.Addr())
	b.Proxy.Lead(a.Node.Addr())
	a.Proxy.Reset()
	b.Proxy.Reset()
	if err := e.hold(ctx, e.Hold); err != nil {
		return err
	}
	a.Proxy.Lead(a.Node.Addr())
	b.Proxy.Lead(b.Node.Addr())
	w.end()
	return nil
}}
