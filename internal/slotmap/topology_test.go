package slotmap

import (
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is three primaries with two replicas each (some of them failed), a healthy
// empty primary, and a failed one.
func sample() *Topology {
	return NewCluster([]Shard{
		{Primary: "c:3", Replicas: []string{"c:5", "c:4"}, Ranges: []Range{{10923, 16383}}},
		{
			Primary: "a:1", Replicas: []string{"a:3", "a:2", "a:4"}, Ranges: []Range{{0, 100}, {102, 5460}}, Failed: []string{"a:2"},
			Zones: map[string]string{"a:1": "z1", "a:3": "z1", "a:4": "z2"},
		},
		{Primary: "b:2", Replicas: []string{"b:3"}, Ranges: []Range{{5461, 10922}}, Failed: []string{"b:2", "b:3"}},
		{Primary: "e:1", Replicas: []string{"e:2"}},
		{Primary: "d:1", Failed: []string{"d:1"}},
		{Primary: "", Replicas: []string{"x:1"}},
	})
}

func TestTopologyCluster(t *testing.T) {
	topo := sample()
	type slotView struct {
		Primary  string
		OK       bool
		Replicas []string
	}
	for slot, want := range map[uint16]slotView{
		0:     {"a:1", true, []string{"a:3", "a:4"}},
		101:   {"", false, nil},
		102:   {"a:1", true, []string{"a:3", "a:4"}},
		5461:  {"b:2", true, []string{"b:3"}},
		16383: {"c:3", true, []string{"c:4", "c:5"}},
		16384: {"", false, nil},
		65535: {"", false, nil},
	} {
		addr, ok := topo.Primary(slot)
		if diff := cmp.Diff(want, slotView{addr, ok, topo.Replicas(slot)}); diff != "" {
			t.Errorf("slot %d: %s", slot, diff)
		}
	}
	if !topo.IsCluster() || topo.Assigned() != Slots-1 {
		t.Errorf("cluster %v, %d slots assigned", topo.IsCluster(), topo.Assigned())
	}
	if got, want := topo.Served(), Slots-1-(10922-5461+1); got != want {
		t.Errorf("%d slots served, want %d: the primary of the others has failed", got, want)
	}
	if got := Standalone("s:1").Served(); got != Slots {
		t.Errorf("a standalone deployment serves %d slots", got)
	}
	if diff := cmp.Diff([]string{"a:1", "b:2", "c:3", "e:1"}, topo.Primaries()); diff != "" {
		t.Errorf("primaries: %s", diff)
	}
	if diff := cmp.Diff([]string{"a:1", "b:2", "c:3", "e:1", "d:1", "a:2", "a:3", "a:4", "b:3", "c:4", "c:5", "e:2", "x:1"}, topo.Nodes()); diff != "" {
		t.Errorf("nodes: %s", diff)
	}
	for addr, want := range map[string][5]any{ // known, primary, failed, lowest slot, has slots
		"a:1": {true, true, false, uint16(0), true},
		"b:2": {true, true, true, uint16(5461), true},
		"a:2": {true, false, true, uint16(0), false},
		"e:1": {true, true, false, uint16(0), false},
		"x:1": {true, false, false, uint16(0), false},
		"q:9": {false, false, false, uint16(0), false},
		"":    {false, false, false, uint16(0), false},
	} {
		slot, ok := topo.ShardSlot(addr)
		got := [5]any{topo.Has(addr), topo.IsPrimary(addr), topo.Failed(addr), slot, ok}
		if got != want {
			t.Errorf("%q: %v, want %v", addr, got, want)
		}
	}
}

func TestTopologyZones(t *testing.T) {
	topo := sample()
	if topo.Zone("a:4") != "z2" || topo.Zone("c:3") != "" || topo.Zone("q:9") != "" {
		t.Error("zones are wrong")
	}
	for zone, want := range map[string][]string{"z2": {"a:4", "a:3"}, "z1": {"a:3", "a:4"}, "": {"a:3", "a:4"}, "z9": {"a:3", "a:4"}} {
		got, near := topo.ReplicasNear(0, zone)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("zone %q: %s", zone, diff)
		}
		if wantNear := map[string]int{"z1": 1, "z2": 1}[zone]; near != wantNear {
			t.Errorf("zone %q: %d near, want %d", zone, near, wantNear)
		}
	}
}

func TestTopologyStandalone(t *testing.T) {
	topo := Standalone("s:1")
	addr, ok := topo.Primary(777)
	slot, owns := topo.ShardSlot("s:1")
	if topo.IsCluster() || addr != "s:1" || !ok || slot != 0 || !owns || topo.Replicas(777) != nil || !topo.Has("s:1") {
		t.Error("the only node must be everything")
	}
	if _, ok := topo.Primary(Slots); ok {
		t.Error("there is no such slot")
	}
	if topo.WithMoved(map[uint16]string{1: "s:2"}) != topo || topo.WithMoved(map[uint16]string{1: "s:1"}) != topo {
		t.Error("a standalone deployment has no slots to move")
	}
	if diff := cmp.Diff([]string{"s:1"}, topo.Primaries()); diff != "" {
		t.Error(diff)
	}
}

func TestTopologyEmptyAndOverlapping(t *testing.T) {
	none := NewCluster(nil)
	if _, ok := none.Primary(0); ok || len(none.Nodes()) != 0 || none.Assigned() != 0 || !none.IsCluster() {
		t.Error("a cluster of nobody serves nothing")
	}
	topo := NewCluster([]Shard{
		{Primary: "a:1", Ranges: []Range{{0, 10}}, Replicas: []string{"r:1", "b:1"}},
		{Primary: "b:1", Ranges: []Range{{5, 60000}}, Replicas: []string{"r:1", ""}},
		{Primary: "a:1", Ranges: []Range{{20, 20}}, Replicas: []string{"r:2"}},
	})
	for slot, want := range map[uint16]string{4: "a:1", 5: "b:1", 20: "a:1", 16383: "b:1"} {
		if got, _ := topo.Primary(slot); got != want {
			t.Errorf("slot %d: %q, want %q", slot, got, want)
		}
	}
	if diff := cmp.Diff([]string{"r:1", "r:2"}, topo.Replicas(0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a:1", "b:1", "r:1", "r:2"}, topo.Nodes()); diff != "" {
		t.Error(diff)
	}
}

func TestWithMoved(t *testing.T) {
	topo := sample()
	for name, c := range map[string]struct {
		slot  uint16
		addr  string
		check map[uint16]string // slot -> primary afterwards
		same  bool
	}{
		"known already":          {slot: 7, addr: "a:1", same: true},
		"unknown node":           {slot: 7, addr: "q:9", same: true},
		"no such slot":           {slot: Slots, addr: "b:2", same: true},
		"between primaries":      {slot: 7, addr: "b:2", check: map[uint16]string{6: "a:1", 7: "b:2", 8: "a:1"}},
		"lowest slot":            {slot: 0, addr: "b:2", check: map[uint16]string{0: "b:2", 1: "a:1"}},
		"to a later shard":       {slot: 16383, addr: "a:1", check: map[uint16]string{16383: "a:1", 16382: "c:3"}},
		"to an empty primary":    {slot: 7, addr: "e:1", check: map[uint16]string{6: "a:1", 7: "e:1"}},
		"of an unassigned slot":  {slot: 101, addr: "c:3", check: map[uint16]string{101: "c:3", 102: "a:1"}},
		"promotion":              {slot: 7, addr: "a:3", check: map[uint16]string{0: "a:3", 7: "a:3", 5460: "a:3", 5461: "b:2"}},
		"promotion of a failed":  {slot: 7, addr: "a:2", check: map[uint16]string{0: "a:2", 7: "a:2"}},
		"another's replica":      {slot: 7, addr: "b:3", check: map[uint16]string{6: "a:1", 7: "b:3", 5461: "b:2"}},
		"orphan becomes primary": {slot: 7, addr: "x:1", check: map[uint16]string{6: "a:1", 7: "x:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := sample()
			got := topo.WithMoved(map[uint16]string{c.slot: c.addr})
			if !topo.Equal(before) {
				t.Fatal("the receiver was changed")
			}
			if (got == topo) != c.same {
				t.Fatalf("same = %v, want %v", got == topo, c.same)
			}
			if c.same {
				return
			}
			if got.Version() <= topo.Version() {
				t.Error("the version must grow")
			}
			for slot, want := range c.check {
				if addr, _ := got.Primary(slot); addr != want {
					t.Errorf("slot %d: %q, want %q", slot, addr, want)
				}
			}
			if !got.IsPrimary(c.addr) || len(got.Nodes()) != len(topo.Nodes()) || got.Equal(topo) {
				t.Error("the nodes must be the same and the address a primary")
			}
			if slot, ok := got.ShardSlot(c.addr); !ok || slot > c.slot {
				t.Errorf("ShardSlot = %d, %v", slot, ok)
			}
			for slot := range uint16(Slots) {
				if addr, ok := got.Primary(slot); ok && !got.IsPrimary(addr) {
					t.Fatalf("slot %d is served by %q, which is no primary", slot, addr)
				}
			}
			if !got.Equal(got.WithMoved(map[uint16]string{c.slot: c.addr})) {
				t.Error("a second time must change nothing")
			}
		})
	}
}

func TestWithMovedPromotion(t *testing.T) {
	got := sample().WithMoved(map[uint16]string{7: "a:3"})
	if diff := cmp.Diff([]string{"a:4"}, got.Replicas(7)); diff != "" {
		t.Errorf("replicas to read from: %s", diff)
	}
	if !got.Failed("a:1") || got.Failed("a:3") || got.IsPrimary("a:1") || got.Zone("a:1") != "z1" {
		t.Error("the former primary must be a replica, last in line")
	}
	if diff := cmp.Diff([]string{"a:3", "b:2", "c:3", "e:1"}, got.Primaries()); diff != "" {
		t.Error(diff)
	}
}

// Many moves at once come to the same as one after the other, in the order of the slots.
func TestWithMovedAtOnce(t *testing.T) {
	addrs := append(sample().Nodes(), "q:9")
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		moves := make(map[uint16]string)
		for range 1 + r.IntN(40) {
			moves[uint16(r.IntN(Slots+2))] = addrs[r.IntN(len(addrs))]
		}
		moves[uint16(r.IntN(2)*5461)] = "c:3" // a shard's lowest
		want := sample()
		for _, slot := range slices.Sorted(maps.Keys(moves)) {
			want = want.WithMoved(map[uint16]string{slot: moves[slot]})
		}
		topo := sample()
		got := topo.WithMoved(moves)
		if !got.Equal(want) || !topo.Equal(sample()) {
			t.Fatalf("%v: %v, want %v", moves, got.Primaries(), want.Primaries())
		}
		for slot := range uint16(Slots) {
			if got.slots[slot] != noShard && got.shards[got.slots[slot]].first > slot {
				t.Fatalf("%v: slot %d is below the lowest of its shard", moves, slot)
			}
		}
		if got.Assigned() != want.Assigned() {
			t.Fatalf("%v: %d slots are served, want %d", moves, got.Assigned(), want.Assigned())
		}
	}
}

// A whole primary's slots that have moved cost one copy of the map, not one each.
func TestWithMovedCost(t *testing.T) {
	moves := make(map[uint16]string)
	for slot := range uint16(5461) {
		moves[slot] = "b:2"
	}
	topo := sample()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	topo = topo.WithMoved(moves)
	runtime.ReadMemStats(&after)
	if addr, _ := topo.Primary(5460); addr != "b:2" {
		t.Errorf("slot 5460: %q", addr)
	}
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 1<<20 {
		t.Errorf("%d bytes were allocated", bytes)
	}
}

func TestTopologyEqual(t *testing.T) {
	a, b := sample(), sample()
	if !a.Equal(b) || a.Version() >= b.Version() {
		t.Error("equal topologies of different versions")
	}
	if a.Equal(nil) || a.Equal(Standalone("a:1")) || Standalone("a:1").Equal(Standalone("a:2")) {
		t.Error("these differ")
	}
	for _, other := range []*Topology{
		a.WithMoved(map[uint16]string{7: "b:2"}), a.WithMoved(map[uint16]string{7: "a:3"}),
		NewCluster([]Shard{{Primary: "a:1", Ranges: []Range{{0, 1}}}}),
	} {
		if a.Equal(other) || other.Equal(a) {
			t.Error("these differ")
		}
	}
	x := NewCluster([]Shard{{Primary: "a:1", Replicas: []string{"a:2"}, Ranges: []Range{{0, 1}}}})
	y := NewCluster([]Shard{{Primary: "a:1", Replicas: []string{"a:2"}, Ranges: []Range{{0, 1}}, Failed: []string{"a:2"}}})
	if x.Equal(y) {
		t.Error("health must count")
	}
}

func BenchmarkPrimary(b *testing.B) {
	topo := sample()
	for b.Loop() {
		topo.Primary(777)
	}
}

func BenchmarkWithMoved(b *testing.B) {
	topo := sample()
	for b.Loop() {
		topo.WithMoved(map[uint16]string{777: "b:2"})
	}
}

// TestShard checks that slots have the same shard if and only if they have the same primary.
func TestShard(t *testing.T) {
	topo := sample()
	primaries := make(map[int]string)
	shards := make(map[string]int)
	for slot := range uint16(Slots) {
		shard := topo.Shard(slot)
		addr, ok := topo.Primary(slot)
		if ok != (shard >= 0) || shard >= topo.Shards() {
			t.Fatalf("slot %d: shard %d of %d, primary %q", slot, shard, topo.Shards(), addr)
		}
		if !ok {
			continue
		}
		if was, known := primaries[shard]; known && was != addr {
			t.Fatalf("slot %d: shard %d has the primaries %s and %s", slot, shard, was, addr)
		}
		if was, known := shards[addr]; known && was != shard {
			t.Fatalf("slot %d: %s is the primary of the shards %d and %d", slot, addr, was, shard)
		}
		primaries[shard], shards[addr] = addr, shard
	}
	if len(primaries) != 3 {
		t.Errorf("shards %v", primaries)
	}
	if shard := topo.Shard(Slots); shard != -1 {
		t.Errorf("a slot that does not exist has shard %d", shard)
	}
	if alone := Standalone("a:1"); alone.Shard(7) != 0 || alone.Shards() != 1 {
		t.Errorf("standalone: shard %d of %d", alone.Shard(7), alone.Shards())
	}
}
