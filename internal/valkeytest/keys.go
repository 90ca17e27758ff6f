package valkeytest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// Slots is the number of hash slots.
const Slots = local.Slots

// Slot returns a key's hash slot, by an implementation that shares nothing with the product.
func Slot(key string) uint16 { return local.Slot(key) }

// KeyIn returns a key of the slot, always the same. With suffixes it is a hash tag and the
// suffixes behind it, so that one slot can have any number of keys.
func KeyIn(slot uint16, suffix ...string) string {
	if len(suffix) == 0 {
		return local.Tag(slot)
	}
	return "{" + local.Tag(slot) + "}" + strings.Join(suffix, ":")
}

// Key returns a key that belongs to this test alone, in whatever slot it falls.
func Key(t testing.TB, suffix ...string) string {
	return strings.Join(append([]string{t.Name()}, suffix...), ":")
}

// KeyFor returns a key that the given primary serves, as it sees itself now. The suffixes
// are as in [KeyIn].
func (c *Cluster) KeyFor(t testing.TB, node *Server, suffix ...string) string {
	t.Helper()
	return KeyIn(c.SlotOf(t, node), suffix...)
}

// SlotOf returns the lowest slot that the given primary serves, as it sees itself now.
func (c *Cluster) SlotOf(t testing.TB, node *Server) uint16 {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	slot, err := node.node.SlotOf(ctx)
	if err != nil {
		t.Fatalf("valkeytest: %v", err)
	}
	return slot
}

// TwoKeys returns two keys in different slots of the same primary: what a multi-key command
// may not name together, though one node holds both.
func (c *Cluster) TwoKeys(t testing.TB, node *Server, suffix ...string) (a, b string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	first := c.SlotOf(t, node)
	for slot := first + 1; slot < Slots; slot++ {
		owner, err := c.cluster.Owner(ctx, slot)
		if err != nil {
			t.Fatalf("valkeytest: %v", err)
		}
		if owner == node.node {
			return KeyIn(first, suffix...), KeyIn(slot, suffix...)
		}
	}
	t.Fatalf("valkeytest: %s", fmt.Sprintf("%s owns one slot only", node.Addr()))
	return "", ""
}
