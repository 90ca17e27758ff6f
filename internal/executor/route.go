package executor

import (
	"context"
	"fmt"
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// target is the node that a part is sent to.
type target struct {
	addr string
	// replica asks for a connection that may read from a replica.
	replica bool
}

// route is the caller's choice of node for the whole batch.
type route struct {
	options.Route
	// turn rotates among the nodes that fit equally. A batch takes one turn, with or without a
	// route: with two, it would skip every other of an even number of nodes.
	turn int
	// zone is the availability zone whose replicas are preferred.
	zone string
}

// given reports whether the caller chose a node at all.
func (rt route) given() bool { return rt.Kind != options.RouteNone }

// target returns the node that the route names in a topology, or false when it names none.
// attempt counts the failures met so far, so that a retry on a replica route asks the next replica.
func (rt route) target(topo *slotmap.Topology, attempt int) (target, bool) {
	switch rt.Kind {
	case options.RouteRandom:
		return anyPrimary(topo, rt.turn+attempt)
	case options.RouteSlot:
		if !rt.Replica {
			addr, ok := topo.Primary(rt.Slot)
			return target{addr: addr}, ok
		}
		return pickReplica(topo, rt.Slot, rt.zone, rt.turn, attempt)
	case options.RouteAddress:
		if !topo.Has(rt.Addr) {
			return target{}, false
		}
		return target{addr: rt.Addr, replica: !topo.IsPrimary(rt.Addr)}, true
	}
	return target{}, false
}

// anyPrimary returns one of the primaries, by turn.
func anyPrimary(topo *slotmap.Topology, turn int) (target, bool) {
	primaries := topo.Primaries()
	if len(primaries) == 0 {
		return target{}, false
	}
	return target{addr: primaries[turn%len(primaries)]}, true
}

// pickReplica returns one of the slot's replicas, by turn, of the preferred zone if it has
// any there. After failures any replica will do.
func pickReplica(topo *slotmap.Topology, slot uint16, zone string, turn, attempt int) (target, bool) {
	replicas, near := topo.ReplicasNear(slot, zone)
	if len(replicas) == 0 {
		return target{}, false
	}
	if near > 0 && attempt == 0 {
		replicas = replicas[:near]
	}
	return target{addr: replicas[(turn+attempt)%len(replicas)], replica: true}, true
}

// resolveRoute checks that the caller's route names a node, after a refresh if need be.
func (r *run) resolveRoute(ctx context.Context, topo *slotmap.Topology) (*slotmap.Topology, error) {
	r.route = route{Route: r.opts.Route, turn: r.nextTurn(r.opts.Route), zone: r.cfg.Zone}
	if !r.route.given() {
		return topo, nil
	}
	if _, ok := r.route.target(topo, 0); ok {
		return topo, nil
	}
	fresh, err := r.cfg.Map.Refresh(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, r.deadlineError(ctx, 0)
		}
		return nil, &UnavailableError{Cause: err}
	}
	if _, ok := r.route.target(fresh, 0); ok {
		return fresh, nil
	}
	return nil, noSuchNode(r.opts.Route, fresh)
}

// noSuchNode words a route that names no node of a topology.
func noSuchNode(rt options.Route, topo *slotmap.Topology) error {
	err := &InvalidError{Index: -1, Reason: "ROUTE_NOT_FOUND", Metadata: map[string]string{}}
	switch {
	case rt.Kind == options.RouteAddress:
		err.Field = "cluster_options.route.by_address"
		err.Message = fmt.Sprintf("%s is not a node of the cluster, whose nodes are %s", rt.Addr, someOf(topo.Nodes()))
		err.Metadata["address"] = rt.Addr
	case rt.Kind == options.RouteSlot && rt.Replica:
		err.Field = "cluster_options.route"
		err.Message = fmt.Sprintf("slot %d has no replica", rt.Slot)
		err.Metadata["slot"] = fmt.Sprint(rt.Slot)
	case rt.Kind == options.RouteSlot:
		err.Field = "cluster_options.route"
		err.Message = fmt.Sprintf("slot %d is served by no node", rt.Slot)
		err.Metadata["slot"] = fmt.Sprint(rt.Slot)
	default:
		err.Field = "cluster_options.route.random"
		err.Message = "the cluster has no primary"
	}
	return err
}

// someOf lists the first few of the nodes, and says how many there are besides.
func someOf(nodes []string) string {
	const few = 6
	if len(nodes) <= few {
		return strings.Join(nodes, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(nodes[:few], ", "), len(nodes)-few)
}
