package executor

import (
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// group is the parts that go to one node in one round, in the caller's order.
type group struct {
	target
	// parts are indices into the plan's parts.
	parts []int32
	// retried is whether every part has an error that may stay in place, so that the round
	// need not wait for this group to the very end.
	retried bool
}

// assigner groups parts by node. Its memory is used again from round to round; the groups of
// one round are valid until the next.
type assigner struct {
	groups []group
	// byShard holds, per shard of the topology, the index of the group for its primary, or -1.
	byShard []int32
}

// assign groups the parts that are due by the node they are to be sent to. But for its memory
// it is a pure function of its arguments. turn chooses among equal nodes. Parts for which the
// topology has no node at all come back in lost.
func (a *assigner) assign(p *plan, topo *slotmap.Topology, rt route, turn int, now time.Time) (groups []group, lost []int32) {
	var routed target
	hasNode := false
	if rt.given() {
		routed, hasNode = rt.target(topo, 0)
	}
	a.groups = a.groups[:0]
	a.byShard = slices.Grow(a.byShard[:0], topo.Shards())[:topo.Shards()]
	for i := range a.byShard {
		a.byShard[i] = -1
	}
	free := freeNode(p, topo, turn)
	last := -1
	for i := range p.parts {
		pt := &p.parts[i]
		if pt.done || (pt.trouble != nil && pt.trouble.due.After(now)) {
			continue
		}
		shard := -1
		if pt.slot != keyless && pt.trouble == nil && !rt.given() {
			// The way of nearly every part.
			if shard = topo.Shard(uint16(pt.slot)); shard >= 0 && a.byShard[shard] >= 0 {
				last = int(a.byShard[shard])
				a.add(last, p, i)
				continue
			}
		}
		var to target
		ok := true
		switch {
		case pt.trouble != nil && pt.trouble.to != "":
			to = target{addr: pt.trouble.to}
		case rt.given() && pt.trouble != nil && pt.trouble.attempts > 0:
			to, ok = rt.target(topo, pt.trouble.attempts)
		case rt.given():
			to, ok = routed, hasNode
		case !topo.IsCluster():
			to, ok = anyPrimary(topo, 0)
		case pt.home != "":
			to = target{addr: pt.home}
			if pt.trouble != nil && pt.homeSlot != keyless {
				if addr, found := topo.Primary(uint16(pt.homeSlot)); found {
					to.addr = addr // the shard's primary as it is now
				}
			}
		case pt.slot != keyless:
			to.addr, ok = topo.Primary(uint16(pt.slot))
			if !ok {
				// No node serves the slot: let a primary say so, or know better.
				to, ok = anyPrimary(topo, turn)
			}
		case pt.trouble != nil && pt.trouble.attempts > 0:
			to, ok = anyPrimary(topo, turn+pt.trouble.attempts)
		default:
			to, ok = free, free.addr != ""
		}
		if !ok {
			lost = append(lost, int32(i))
			continue
		}
		if last < 0 || a.groups[last].target != to {
			last = a.find(to)
		}
		if last < 0 {
			last = a.open(to, max(8, (len(p.parts)-i)/max(1, len(topo.Primaries()))+8))
		}
		if shard >= 0 {
			a.byShard[shard] = int32(last)
		}
		a.add(last, p, i)
	}
	return a.groups, lost
}

// open begins a group with room for so many parts and returns its index.
func (a *assigner) open(to target, room int) int {
	n := len(a.groups)
	var parts []int32
	if n < cap(a.groups) {
		parts = a.groups[:n+1][n].parts[:0] // of a round before
	}
	if cap(parts) == 0 {
		parts = make([]int32, 0, room)
	}
	a.groups = append(a.groups, group{target: to, parts: parts, retried: true})
	return n
}

// add puts part i into a group.
func (a *assigner) add(n int, p *plan, i int) {
	g, pt := &a.groups[n], &p.parts[i]
	g.parts = append(g.parts, int32(i))
	g.retried = g.retried && pt.trouble != nil && pt.trouble.last != nil
	pt.node = g.addr
}

// find returns the index of the group for a target, or -1.
func (a *assigner) find(to target) int {
	for i := range a.groups {
		if a.groups[i].target == to {
			return i
		}
	}
	return -1
}

// freeNode chooses the primary for commands that any primary can answer: one that the
// batch goes to anyway, so that they cost no further round trip.
func freeNode(p *plan, topo *slotmap.Topology, turn int) target {
	for i := range p.parts {
		if slot := p.parts[i].slot; slot != keyless {
			if addr, ok := topo.Primary(uint16(slot)); ok {
				return target{addr: addr}
			}
			break
		}
	}
	to, _ := anyPrimary(topo, turn)
	return to
}
