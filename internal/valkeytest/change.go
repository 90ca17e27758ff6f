package valkeytest

import (
	"context"
	"testing"
)

// BeginMigration opens the slot's move (CLUSTER SETSLOT IMPORTING and MIGRATING): from then
// on from answers -ASK for keys that it has not, or -TRYAGAIN when it has only some of them.
func (c *Cluster) BeginMigration(t testing.TB, slot uint16, from, to *Server) {
	t.Helper()
	c.must(t, func(ctx context.Context) error {
		return c.cluster.BeginMigration(ctx, slot, from.node, to.node)
	})
}

// MigrateKeys moves the given keys of the slot (MIGRATE), or all when none is given.
func (c *Cluster) MigrateKeys(t testing.TB, slot uint16, from, to *Server, keys ...string) {
	t.Helper()
	c.must(t, func(ctx context.Context) error {
		return c.cluster.MigrateKeys(ctx, slot, from.node, to.node, keys...)
	})
}

// FinishMigration makes to the slot's owner (CLUSTER SETSLOT NODE) and returns when all
// nodes agree. All of the slot's keys have to be moved already.
func (c *Cluster) FinishMigration(t testing.TB, slot uint16, from, to *Server) {
	t.Helper()
	c.must(t, func(ctx context.Context) error {
		return c.cluster.FinishMigration(ctx, slot, from.node, to.node)
	})
}

// AbortMigration ends the slot's move where it began (CLUSTER SETSLOT STABLE). Keys already
// moved have to be moved back first.
func (c *Cluster) AbortMigration(t testing.TB, slot uint16, from, to *Server) {
	t.Helper()
	c.must(t, func(ctx context.Context) error {
		return c.cluster.AbortMigration(ctx, slot, from.node, to.node)
	})
}

// MoveSlot moves a slot with all its keys.
func (c *Cluster) MoveSlot(t testing.TB, slot uint16, from, to *Server) {
	t.Helper()
	c.BeginMigration(t, slot, from, to)
	c.MigrateKeys(t, slot, from, to)
	c.FinishMigration(t, slot, from, to)
}

// Failover has the replica take its primary's place (CLUSTER FAILOVER, with FORCE or
// TAKEOVER when given) and returns when all running nodes agree.
func (c *Cluster) Failover(t testing.TB, replica *Server, mode ...string) {
	t.Helper()
	c.must(t, func(ctx context.Context) error { return c.cluster.Failover(ctx, replica.node, mode...) })
}

// WaitFailover returns when the former replica serves its primary's slots in the eyes of all
// running nodes, as after the primary was killed. A paused primary is to be named as left out.
func (c *Cluster) WaitFailover(t testing.TB, replica *Server, leftOut ...*Server) {
	t.Helper()
	c.must(t, func(ctx context.Context) error {
		return c.cluster.WaitFailover(ctx, replica.node, nodesOf(leftOut)...)
	})
}
