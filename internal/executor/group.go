package executor

import (
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

// assign groups the parts that are due by the node they are to be sent to. It is a pure
// function of its arguments. turn chooses among equal nodes. Parts for which the topology
// has no node at all come back in lost.
func assign(p *plan, topo *slotmap.Topology, rt route, turn int, now time.Time) (groups []group, lost []int32) {
	var (
		index   map[string]int // built only for many groups
		last    = -1
		routed  target
		hasNode bool
	)
	if rt.given() {
		routed, hasNode = rt.target(topo, 0)
	}
	free := freeNode(p, topo, turn)
	for i := range p.parts {
		pt := &p.parts[i]
		if pt.done || (pt.trouble != nil && pt.trouble.due.After(now)) {
			continue
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
		if last < 0 || groups[last].target != to {
			last = find(groups, index, to)
		}
		if last < 0 {
			last = len(groups)
			groups = append(groups, group{target: to, retried: true})
			if index == nil && len(groups) > 8 {
				index = make(map[string]int)
				for g := range groups {
					index[groups[g].key()] = g
				}
			} else if index != nil {
				index[to.key()] = last
			}
		}
		g := &groups[last]
		if g.parts == nil {
			g.parts = make([]int32, 0, max(8, (len(p.parts)-i)/max(1, len(topo.Primaries()))+8))
		}
		g.parts = append(g.parts, int32(i))
		g.retried = g.retried && pt.trouble != nil && pt.trouble.last != nil
		pt.node = to.addr
	}
	return groups, lost
}

// key tells targets apart in a map.
func (t target) key() string {
	if t.replica {
		return t.addr + " replica"
	}
	return t.addr
}

// find returns the index of the group for a target, or -1.
func find(groups []group, index map[string]int, to target) int {
	if index != nil {
		if i, ok := index[to.key()]; ok {
			return i
		}
		return -1
	}
	for i := range groups {
		if groups[i].target == to {
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
