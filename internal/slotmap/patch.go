package slotmap

import (
	"maps"
	"slices"
)

// WithMoved returns the topology after a node has answered that addr now serves
// the slot (MOVED). It is the receiver itself when that is known already, and
// when nothing can be learnt: on a standalone deployment, for a slot that does not
// exist, and for an address that is no node of the deployment.
//
// A replica of the slot's own primary that now serves the slot has been promoted
// in its place, so that all slots of the shard follow it, and the former primary
// becomes a replica, held to be failed until a refresh knows better. A replica of
// another shard becomes a primary for this slot alone.
func (t *Topology) WithMoved(slot uint16, addr string) *Topology {
	if !t.cluster || slot >= Slots {
		return t
	}
	m, known := t.members[addr]
	if !known {
		return t
	}
	from := t.slots[slot]
	if from != noShard && t.shards[from].primary == addr {
		return t
	}

	if m.primary {
		return t.reassigned(slot, m.shard)
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
		return t
	default:
		s := &shards[m.shard]
		s.Replicas = without(s.Replicas, addr)
		slots[slot] = uint16(len(shards))
		shards = append(shards, Shard{Primary: addr, Zones: map[string]string{addr: m.zone}})
	}
	return assemble(shards, &slots)
}

// reassigned is the topology with one slot given to another primary. That is what
// most redirects say, a great many of them during a migration, so that everything
// else is shared with the receiver.
func (t *Topology) reassigned(slot, to uint16) *Topology {
	patched, slots := *t, *t.slots
	from := slots[slot]
	slots[slot] = to
	patched.slots, patched.version = &slots, versions.Add(1)
	if from == noShard {
		patched.assigned++
	}
	lowestLost := from != noShard && t.shards[from].first == slot
	if !lowestLost && t.shards[to].first < slot {
		return &patched
	}
	patched.shards = slices.Clone(t.shards)
	if lowestLost {
		next := slot + 1
		for next < Slots && slots[next] != from {
			next++
		}
		patched.shards[from].first = next
	}
	patched.shards[to].first = min(patched.shards[to].first, slot)
	patched.list()
	return &patched
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
