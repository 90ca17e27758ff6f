package slotmap

import (
	"maps"
	"slices"
	"sync/atomic"
)

// Topology is an immutable snapshot of a deployment: its nodes, and on a cluster
// which of them serve which slot. The slices its methods return are shared and
// must not be changed. A nil Topology is not valid.
type Topology struct {
	version   uint64
	cluster   bool
	shards    []shard
	slots     *[Slots]uint16 // index of the serving shard, noShard for none; nil on standalone
	members   map[string]member
	primaries []string
	nodes     []string
	assigned  int
}

// versions numbers every snapshot of the process, so that a later one of any
// Map always has the greater number.
var versions atomic.Uint64

// Standalone returns the topology of a deployment that is not a cluster: one
// node, which serves every slot.
func Standalone(addr string) *Topology {
	return &Topology{
		version:   versions.Add(1),
		shards:    []shard{{primary: addr}},
		members:   map[string]member{addr: {primary: true}},
		primaries: []string{addr},
		nodes:     []string{addr},
		assigned:  Slots,
	}
}

// NewCluster returns the topology of a cluster of the given shards. Shards of the
// same primary are taken for one. Where two claim a slot, the later one in the list
// has it; where a node is named twice, being a primary counts, else its first
// place as a replica. Ranges beyond the last slot are cut off.
func NewCluster(shards []Shard) *Topology {
	slots := new([Slots]uint16)
	for i := range slots {
		slots[i] = noShard
	}
	kept := make([]Shard, 0, len(shards))
	index := make(map[string]int, len(shards))
	for _, s := range shards {
		i, seen := index[s.Primary]
		switch {
		case seen && s.Primary != "":
			kept[i] = joined(kept[i], s)
		case len(kept) == int(noShard):
			continue
		default:
			i = len(kept)
			index[s.Primary] = i
			kept = append(kept, s)
		}
		if s.Primary == "" {
			continue
		}
		for _, r := range s.Ranges {
			for slot := int(r.First); slot <= int(r.Last) && slot < Slots; slot++ {
				slots[slot] = uint16(i)
			}
		}
	}
	return assemble(kept, slots)
}

// joined is what two shards of the same primary say together.
func joined(a, b Shard) Shard {
	zones := make(map[string]string, len(a.Zones)+len(b.Zones))
	maps.Copy(zones, a.Zones)
	maps.Copy(zones, b.Zones)
	return Shard{
		Primary:  a.Primary,
		Replicas: slices.Concat(a.Replicas, b.Replicas),
		Failed:   slices.Concat(a.Failed, b.Failed),
		Zones:    zones,
	}
}

// assemble derives everything a Topology answers from its shards and slots. It
// takes possession of slots, and keeps nothing of shards.
func assemble(from []Shard, slots *[Slots]uint16) *Topology {
	t := &Topology{
		version: versions.Add(1),
		cluster: true,
		shards:  make([]shard, len(from)),
		slots:   slots,
		members: make(map[string]member, 2*len(from)),
	}
	for i, s := range from {
		t.shards[i] = shard{primary: s.Primary, first: noSlot}
		if s.Primary != "" {
			t.enrol(s.Primary, uint16(i), true, s)
		}
	}
	for i, s := range from {
		var healthy, failed []string
		for _, addr := range s.Replicas {
			if _, known := t.members[addr]; known || addr == "" {
				continue
			}
			t.enrol(addr, uint16(i), false, s)
			if t.members[addr].failed {
				failed = append(failed, addr)
			} else {
				healthy = append(healthy, addr)
			}
		}
		slices.Sort(healthy)
		slices.Sort(failed)
		n := len(healthy)
		all := slices.Concat(healthy, failed)
		t.shards[i].all, t.shards[i].replicas = all, all
		if n > 0 {
			t.shards[i].replicas = all[:n:n]
		}
	}
	t.order()
	return t
}

// order finds the shards' lowest slots, the number of slots served, and what is ordered by
// them.
func (t *Topology) order() {
	t.assigned = 0
	for i := range t.shards {
		t.shards[i].first = noSlot
	}
	for slot := Slots - 1; slot >= 0; slot-- {
		if i := t.slots[slot]; i != noShard {
			t.shards[i].first = uint16(slot)
			t.assigned++
		}
	}
	t.list()
}

// enrol notes a node's place, unless it has one already.
func (t *Topology) enrol(addr string, shard uint16, primary bool, s Shard) {
	if _, known := t.members[addr]; known {
		return
	}
	t.members[addr] = member{
		shard:   shard,
		primary: primary,
		failed:  slices.Contains(s.Failed, addr),
		zone:    s.Zones[addr],
	}
}

// list orders the nodes: owners by their lowest slot, healthy empty primaries by
// address, then the remaining nodes by address. The order depends on nothing
// but what the topology says, so that it is the same in every snapshot of an
// unchanged deployment.
func (t *Topology) list() {
	var owners []shard
	for _, s := range t.shards {
		if s.first != noSlot {
			owners = append(owners, s)
		}
	}
	slices.SortFunc(owners, func(a, b shard) int { return int(a.first) - int(b.first) })
	listed := make(map[string]bool, len(t.members))
	t.primaries = nil
	for _, s := range owners {
		if !listed[s.primary] {
			listed[s.primary] = true
			t.primaries = append(t.primaries, s.primary)
		}
	}
	addrs := slices.Sorted(maps.Keys(t.members))
	for _, addr := range addrs {
		if m := t.members[addr]; m.primary && !m.failed && !listed[addr] {
			listed[addr] = true
			t.primaries = append(t.primaries, addr)
		}
	}
	t.nodes = append(make([]string, 0, len(addrs)), t.primaries...)
	for _, primary := range []bool{true, false} {
		for _, addr := range addrs {
			if t.members[addr].primary == primary && !listed[addr] {
				listed[addr] = true
				t.nodes = append(t.nodes, addr)
			}
		}
	}
}

// IsCluster reports whether the deployment is a cluster.
func (t *Topology) IsCluster() bool { return t.cluster }

// Version identifies this snapshot: of two snapshots of one process the later
// one has the greater version.
func (t *Topology) Version() uint64 { return t.version }

// Primary returns the address of the primary that serves the slot. ok is false
// when no node serves it, or when there is no such slot. A standalone deployment's
// node serves every slot.
func (t *Topology) Primary(slot uint16) (addr string, ok bool) {
	if slot >= Slots {
		return "", false
	}
	if !t.cluster {
		return t.shards[0].primary, true
	}
	i := t.slots[slot]
	if i == noShard {
		return "", false
	}
	return t.shards[i].primary, true
}

// Shards returns the number of shards that [Topology.Shard] tells apart.
func (t *Topology) Shards() int { return len(t.shards) }

// Shard returns which shard serves the slot, from 0, or -1 when none does. All slots of a shard
// have the same primary.
func (t *Topology) Shard(slot uint16) int {
	if slot >= Slots {
		return -1
	}
	if !t.cluster {
		return 0
	}
	if i := t.slots[slot]; i != noShard {
		return int(i)
	}
	return -1
}

// Replicas returns the replicas of the slot's primary from which to read: those
// that are healthy, or, when none is, all of them, because the health report may
// be out of date ([Topology.Failed] tells). It is empty when the shard has no
// replicas.
func (t *Topology) Replicas(slot uint16) []string {
	if !t.cluster || slot >= Slots || t.slots[slot] == noShard {
		return nil
	}
	return t.shards[t.slots[slot]].replicas
}

// ReplicasNear returns what [Topology.Replicas] returns, those in the given
// availability zone first, and how many of them are in it. The order within and
// outside the zone is kept.
func (t *Topology) ReplicasNear(slot uint16, zone string) (replicas []string, near int) {
	replicas = t.Replicas(slot)
	if zone == "" || len(replicas) == 0 {
		return replicas, 0
	}
	ordered := make([]string, 0, len(replicas))
	for _, addr := range replicas {
		if t.members[addr].zone == zone {
			ordered = append(ordered, addr)
		}
	}
	near = len(ordered)
	for _, addr := range replicas {
		if t.members[addr].zone != zone {
			ordered = append(ordered, addr)
		}
	}
	return ordered, near
}

// Primaries returns the primaries a fan-out to all shards reaches: those that
// serve slots, failed ones included, in the order of their lowest slot, then
// healthy primaries without slots.
func (t *Topology) Primaries() []string { return t.primaries }

// Nodes returns every node of the deployment, failed ones included: primaries
// (in the order of [Topology.Primaries]) first, then replicas by address.
func (t *Topology) Nodes() []string { return t.nodes }

// Has reports whether the address is one of the deployment's nodes.
func (t *Topology) Has(addr string) bool {
	_, ok := t.members[addr]
	return ok
}

// IsPrimary reports whether the address is a primary, with slots or without.
func (t *Topology) IsPrimary(addr string) bool { return t.members[addr].primary }

// Failed reports whether the deployment says that the node has failed or is not
// ready to serve. It is false for a node that is not part of the deployment.
func (t *Topology) Failed(addr string) bool { return t.members[addr].failed }

// Zone returns the node's availability zone, "" when it is not known.
func (t *Topology) Zone(addr string) string { return t.members[addr].zone }

// ShardSlot returns the lowest slot that the primary serves. ok is false when the
// address is not a primary or serves none. A standalone deployment's node serves
// every slot, so that its lowest is 0.
func (t *Topology) ShardSlot(addr string) (slot uint16, ok bool) {
	m, known := t.members[addr]
	if !known || !m.primary {
		return 0, false
	}
	if slot = t.shards[m.shard].first; slot == noSlot {
		return 0, false
	}
	return slot, true
}

// Assigned returns the number of slots that have a primary, failed or not.
func (t *Topology) Assigned() int { return t.assigned }

// Served returns the number of slots whose primary has not failed.
func (t *Topology) Served() int {
	if !t.cluster {
		return Slots
	}
	failed := make([]bool, len(t.shards))
	for i, s := range t.shards {
		failed[i] = t.members[s.primary].failed
	}
	n := 0
	for _, i := range t.slots {
		if i != noShard && !failed[i] {
			n++
		}
	}
	return n
}
