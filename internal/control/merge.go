package control

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// builder joins what CLUSTER SLOTS and CLUSTER SHARDS say into shards.
type builder struct {
	shards []*slotmap.Shard
	owner  map[string]*slotmap.Shard // shard of a primary, by the node's key
	place  map[string]*slotmap.Shard // shard of any node, by the node's key
	addr   map[string]string         // by the node's key
}

// merge makes shards of the two replies. CLUSTER SLOTS, where there is one, decides
// who serves which slot, because CLUSTER SHARDS of Redis 7 is wrong after a
// failover. CLUSTER SHARDS adds what the other leaves out: nodes that have failed or
// are loading, primaries without slots, and their replicas. layout is equal for
// two views that assign the slots alike, and "" when no slot is assigned.
func merge(rows []slotRow, groups []shardRow, haveSlots bool) (shards []slotmap.Shard, layout string) {
	b := &builder{
		owner: make(map[string]*slotmap.Shard),
		place: make(map[string]*slotmap.Shard),
		addr:  make(map[string]string),
	}
	if !haveSlots {
		rows = rowsFromShards(groups)
	}
	for _, row := range rows {
		b.addRow(row)
	}
	for _, group := range groups {
		b.addGroup(group)
	}
	for _, s := range b.shards {
		shards = append(shards, *s)
	}
	return shards, layoutOf(rows)
}

// addRow notes a row of CLUSTER SLOTS.
func (b *builder) addRow(row slotRow) {
	primary := row.nodes[0]
	if primary.addr == "" {
		return
	}
	s := b.owner[primary.key()]
	if s == nil {
		s = b.open(primary)
	}
	s.Ranges = append(s.Ranges, row.slots)
	for _, n := range row.nodes[1:] {
		b.join(s, n)
	}
}

// open begins a shard.
func (b *builder) open(primary nodeRow) *slotmap.Shard {
	s := &slotmap.Shard{Primary: primary.addr, Zones: make(map[string]string)}
	b.shards = append(b.shards, s)
	b.owner[primary.key()] = s
	b.enter(s, primary)
	return s
}

// join adds a replica to a shard, once.
func (b *builder) join(s *slotmap.Shard, n nodeRow) {
	if n.addr == "" || b.place[n.key()] != nil {
		return
	}
	s.Replicas = append(s.Replicas, n.addr)
	b.enter(s, n)
}

func (b *builder) enter(s *slotmap.Shard, n nodeRow) {
	b.place[n.key()], b.addr[n.key()] = s, n.addr
	b.describe(s, n)
}

// describe notes health and zone of a node that has its place.
func (b *builder) describe(s *slotmap.Shard, n nodeRow) {
	addr := b.addr[n.key()]
	if !n.online && !slices.Contains(s.Failed, addr) {
		s.Failed = append(s.Failed, addr)
	}
	if n.zone != "" {
		s.Zones[addr] = n.zone
	}
}

// addGroup notes a shard of CLUSTER SHARDS.
func (b *builder) addGroup(group shardRow) {
	var home *slotmap.Shard // of the nodes that CLUSTER SLOTS does not know
	for _, n := range group.nodes {
		if s := b.owner[n.key()]; s != nil {
			home = s
			break
		}
	}
	for _, n := range group.nodes {
		s := b.place[n.key()]
		if s == nil {
			continue
		}
		b.describe(s, n)
		if home == nil {
			home = s
		}
	}
	// A primary that is well and serves nothing is one of its own; one that is not
	// well, in a shard that has another, was its primary before a failover.
	for _, n := range group.nodes {
		if b.place[n.key()] == nil && n.addr != "" && n.primary && (n.online || home == nil) {
			if s := b.open(n); home == nil {
				home = s
			}
		}
	}
	if home == nil {
		home = &slotmap.Shard{Zones: make(map[string]string)}
		b.shards = append(b.shards, home)
	}
	for _, n := range group.nodes {
		b.join(home, n)
	}
}

// rowsFromShards makes do with CLUSTER SHARDS alone.
func rowsFromShards(groups []shardRow) (rows []slotRow) {
	for _, group := range groups {
		nodes := slices.Clone(group.nodes)
		slices.SortStableFunc(nodes, func(a, b nodeRow) int {
			return cmp.Or(order(!a.primary)-order(!b.primary), order(!a.online)-order(!b.online))
		})
		if len(nodes) == 0 || !nodes[0].primary {
			continue
		}
		for _, slots := range group.slots {
			rows = append(rows, slotRow{slots: slots, nodes: nodes[:1]})
		}
	}
	return rows
}

// layoutOf renders the assignment of slots. Adjacent ranges of the same primary
// are joined, since servers cut them differently.
func layoutOf(rows []slotRow) string {
	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b slotRow) int { return int(a.slots.First) - int(b.slots.First) })
	var b strings.Builder
	for i := 0; i < len(sorted); {
		key, last := sorted[i].nodes[0].key(), sorted[i].slots.Last
		j := i + 1
		for j < len(sorted) && sorted[j].nodes[0].key() == key && sorted[j].slots.First == last+1 {
			last = sorted[j].slots.Last
			j++
		}
		fmt.Fprintf(&b, "%d-%d %s\n", sorted[i].slots.First, last, key)
		i = j
	}
	return b.String()
}
