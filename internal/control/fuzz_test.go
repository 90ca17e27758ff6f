package control

import (
	"encoding/binary"
	"testing"

	"github.com/valkey-io/valkey-go"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// grow makes a reply of any shape out of fuzz input, in the form that valkey-go
// reads messages back from.
func grow(dst []byte, seed *[]byte, depth int) []byte {
	take := func() byte {
		if len(*seed) == 0 {
			return 0
		}
		b := (*seed)[0]
		*seed = (*seed)[1:]
		return b
	}
	head := func(typ byte, n uint64) { dst = binary.BigEndian.AppendUint64(append(dst, typ), n) }
	kind := take()
	if depth > 6 {
		kind %= 4
	}
	names := []string{"slots", "nodes", "id", "port", "tls-port", "ip", "endpoint", "role", "health", "master", "online", "?", "", "h"}
	switch kind % 8 {
	case 0:
		name := names[int(take())%len(names)]
		head('$', uint64(len(name)))
		dst = append(dst, name...)
	case 1:
		head(':', uint64(take())*uint64(take())-3)
	case 2:
		head('_', 0)
	case 3:
		head('#', uint64(take()%2))
	case 4, 5, 6:
		n := int(take() % 5)
		head('*', uint64(n))
		for range n {
			dst = grow(dst, seed, depth+1)
		}
	case 7:
		n := int(take() % 5)
		head('%', uint64(2*n))
		for i := range n {
			name := names[(int(take())+i)%len(names)]
			head('$', uint64(len(name)))
			dst = append(dst, name...)
			dst = grow(dst, seed, depth+1)
		}
	}
	return dst
}

// FuzzReplies parses replies of any shape, and holds what is made of them to what a
// topology promises.
func FuzzReplies(f *testing.F) {
	f.Add([]byte{4, 1, 4, 3, 1, 2, 2, 1, 9, 9, 4, 2, 0, 13, 1, 3, 3}, []byte{4, 1, 7, 2, 0, 4, 0, 0, 4, 1, 7, 3, 2, 0, 2, 3, 1, 9, 9})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var slots, shards valkey.ValkeyMessage
		for m, seed := range map[*valkey.ValkeyMessage][]byte{&slots: a, &shards: b} {
			if err := m.CacheUnmarshalView(grow(make([]byte, 7), &seed, 0)); err != nil {
				t.Fatal("not a message: ", err)
			}
		}
		asked := asked{host: "asked", id: "h"}
		rows, err := asked.parseSlots(slots)
		groups, shardsErr := asked.parseShards(shards)
		if err != nil && shardsErr != nil {
			return
		}
		merged, _ := merge(rows, groups, err == nil)
		topo := slotmap.NewCluster(merged)
		for slot := range uint16(slotmap.Slots) {
			if addr, ok := topo.Primary(slot); ok && !topo.IsPrimary(addr) {
				t.Fatalf("slot %d is served by %q, which is no primary", slot, addr)
			}
		}
		if frame, ok := appendFrame(nil, shards, 0); ok && len(frame) == 0 {
			t.Error("an empty frame")
		}
	})
}
