package control

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// Topology finds out what the deployment consists of. Several known nodes are asked
// at once; those that have not answered shortly after the first are not waited for.
// The error is an [*UnavailableError] when no node gave a usable answer.
//
// Of the views of a cluster, the one of a node that finds the cluster well is
// preferred to one that does not (as the cut-off side of a partition does not), then
// the one with the greatest current epoch, then the one most nodes share. A
// standalone deployment of several seeds is the first that says it is a primary,
// else the first that answers.
func (c *Client) Topology(ctx context.Context) (*slotmap.Topology, error) {
	addrs := c.known()
	var views []answer[*view]
	failed := &UnavailableError{Want: "the topology"}
	asked := min(len(addrs), width)
	err := survey(ctx, c, addrs, func() bool { return len(views) == 0 }, c.look,
		func(a answer[*view]) (time.Duration, bool) {
			if a.err != nil {
				failed.Nodes = append(failed.Nodes, &NodeError{Addr: a.addr, Err: a.err})
				return 0, false
			}
			views = append(views, a)
			if agree(views) > asked/2 {
				return agreed, false
			}
			return grace, false
		})
	if err != nil && (len(views) == 0 || errors.Is(err, ErrClosed)) {
		if len(failed.Nodes) == 0 {
			return nil, err
		}
		return nil, errors.Join(err, failed)
	}
	if len(views) == 0 {
		return nil, failed
	}
	topology := c.build(ctx, choose(views))
	c.mu.Lock()
	c.last = topology
	c.mu.Unlock()
	c.tidy(topology)
	return topology, nil
}

// agree returns how many of the views are like the best one.
func agree(views []answer[*view]) int {
	best := choose(views).v
	n := 0
	for _, a := range views {
		if alike(a.v, best) {
			n++
		}
	}
	return n
}

func alike(a, b *view) bool {
	return a.cluster == b.cluster && a.state == b.state && a.epoch == b.epoch &&
		a.layout == b.layout && (a.cluster || a.primary == b.primary)
}

// choose returns the view to believe.
func choose(views []answer[*view]) answer[*view] {
	return slices.MinFunc(views, func(a, b answer[*view]) int {
		return cmp.Or(
			rank(a.v)-rank(b.v),
			cmp.Compare(b.v.state, a.v.state),
			cmp.Compare(b.v.epoch, a.v.epoch),
			votes(views, b.v)-votes(views, a.v),
			order(!a.v.primary)-order(!b.v.primary),
			a.place-b.place,
		)
	})
}

// rank orders kinds of views: a cluster that serves slots, a standalone node, and
// last a cluster node on its own, which knows nothing.
func rank(v *view) int {
	switch {
	case v.cluster && v.owned():
		return 0
	case !v.cluster:
		return 1
	default:
		return 2
	}
}

func votes(views []answer[*view], v *view) int {
	n := 0
	for _, a := range views {
		if alike(a.v, v) {
			n++
		}
	}
	return n
}

// build makes a topology of a view, and asks for what zones are missing in it.
func (c *Client) build(ctx context.Context, a answer[*view]) *slotmap.Topology {
	if !a.v.cluster {
		return slotmap.Standalone(a.addr)
	}
	if !c.config.Zones {
		return slotmap.NewCluster(a.v.shards)
	}
	var missing []string
	for _, s := range a.v.shards {
		for _, addr := range append([]string{s.Primary}, s.Replicas...) {
			if addr != "" && s.Zones[addr] == "" {
				missing = append(missing, addr)
			}
		}
	}
	found := c.zonesOf(ctx, missing)
	for i := range a.v.shards {
		s := &a.v.shards[i]
		s.Zones = maps.Clone(s.Zones)
		for _, addr := range append([]string{s.Primary}, s.Replicas...) {
			if zone := found[addr]; zone != "" {
				s.Zones[addr] = zone
			}
		}
	}
	return slotmap.NewCluster(a.v.shards)
}
