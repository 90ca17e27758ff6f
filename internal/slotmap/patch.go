package slotmap

import (
	"maps"
	"slices"
)

// WithMoved returns the topology after nodes have answered which addresses now serve
// slots (MOVED), taken in the order of the slots. It is the receiver itself when that is
// known already, and when nothing can be learnt: on a standalone deployment, for slots
// that do not exist, and for addresses that are no nodes of the deployment.
//
// A replica of a slot's own primary that now serves the slot has been promoted
// in its place, so that all slots of the shard follow it, and the former primary
// becomes a replica, held to be failed until a refresh knows better. A replica of
// another shard becomes a primary for this slot alone.
func (t *Topology) WithMoved(moves map[uint16]string) *Topology {
	if !t.cluster || len(moves) == 0 {
		return t
	}
	p := patch{t: t}
	for _, slot := range slices.Sorted(maps.Keys(moves)) {
		if slot < Slots {
			p.move(slot, moves[slot])
		}
	}
	return p.done()
}

// serves reports whether the slot's primary is known to be at addr.
func (t *Topology) serves(slot uint16, addr string) bool {
	now, ok := t.Primary(slot)
	return ok && now == addr
}

// patch is a topology on which some slots are moved.
type patch struct {
	t *Topology
	// own is whether t is a copy that nobody else knows yet.
	own bool
	// unordered is whether the shards' lowest slots, and what is ordered by them, are those
	// from before.
	unordered bool
}

// move gives one slot to the node at addr.
func (p *patch) move(slot uint16, addr string) {
	t := p.t
	m, known := t.members[addr]
	from := t.slots[slot]
	switch {
	case !known, from != noShard && t.shards[from].primary == addr:
		return
	case m.primary:
		p.reassign(slot, m.shard)
		return
	}
	shards := t.export()
	slots := *t.slots
	switch {
	case m.shard == from:
		s := &shards[from]
		former := s.Primary
		s.Primary = addr
		s.Replicas = append(without(s.Replicas, addr), former)
		s.Failed = append(without(s.Failed, addr), former)
	case len(shards) == int(noShard):
		return
	default:
		s := &shards[m.shard]
		s.Replicas = without(s.Replicas, addr)
		slots[slot] = uint16(len(shards))
		shards = append(shards, Shard{Primary: addr, Zones: map[string]string{addr: m.zone}})
	}
	*p = patch{t: assemble(shards, &slots), own: true}
}

// reassign gives one slot to another primary. That is what most redirects say, a great
// many of them during a migration, so that the slots are copied once for all of them, and
// everything else is shared with the topology from before as long as it stays the same.
func (p *patch) reassign(slot, to uint16) {
	if !p.own {
		t, slots := *p.t, *p.t.slots
		t.slots, t.version = &slots, versions.Add(1)
		p.t, p.own = &t, true
	}
	from := p.t.slots[slot]
	p.t.slots[slot] = to
	if from == noShard {
		p.t.assigned++
	}
	p.unordered = p.unordered || slot < p.t.shards[to].first ||
		(from != noShard && p.t.shards[from].first == slot)
}

// done returns the topology.
func (p *patch) done() *Topology {
	if p.unordered {
		p.t.shards = slices.Clone(p.t.shards)
		p.t.order()
	}
	return p.t
}

// export returns the shards as assemble takes them; ranges are left out. The
// result shares nothing that a caller may change.
func (t *Topology) export() []Shard {
	shards := make([]Shard, len(t.shards), len(t.shards)+1)
	for i, s := range t.shards {
		shards[i] = Shard{
			Primary:  s.primary,
			Replicas: slices.Clone(s.all),
			Zones:    map[string]string{},
		}
	}
	for addr, m := range t.members {
		s := &shards[m.shard]
		s.Zones[addr] = m.zone
		if m.failed {
			s.Failed = append(s.Failed, addr)
		}
	}
	return shards
}

func without(list []string, addr string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == addr })
}

// Equal reports whether two topologies say the same of the deployment, whatever
// their versions.
func (t *Topology) Equal(o *Topology) bool {
	if t == o {
		return true
	}
	if o == nil || t.cluster != o.cluster || t.assigned != o.assigned ||
		!slices.Equal(t.nodes, o.nodes) || !slices.Equal(t.primaries, o.primaries) {
		return false
	}
	for addr, m := range t.members {
		n := o.members[addr]
		if m.primary != n.primary || m.failed != n.failed || m.zone != n.zone {
			return false
		}
		if t.shards[m.shard].primary != o.shards[n.shard].primary {
			return false
		}
	}
	if t.cluster {
		for slot := range uint16(Slots) {
			a, _ := t.Primary(slot)
			b, _ := o.Primary(slot)
			if a != b {
				return false
			}
		}
	}
	return true
}

// sameRoles reports whether two topologies consist of the same nodes, each in the same role
// and as healthy.
func (t *Topology) sameRoles(o *Topology) bool {
	return maps.EqualFunc(t.members, o.members, func(a, b member) bool {
		return a.primary == b.primary && a.failed == b.failed
	})
}

// failedNodes returns the nodes that have failed.
func (t *Topology) failedNodes() []string {
	failed := []string{}
	for _, addr := range t.nodes {
		if t.members[addr].failed {
			failed = append(failed, addr)
		}
	}
	return failed
}
