package local

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// BeginMigration opens the slot's move: from answers -ASK for keys that it has not, to
// serves the slot behind ASKING.
func (c *Cluster) BeginMigration(ctx context.Context, slot uint16, from, to *Node) error {
	number := strconv.Itoa(int(slot))
	if _, err := to.MustOK(ctx, "CLUSTER", "SETSLOT", number, "IMPORTING", from.ID); err != nil {
		return err
	}
	_, err := from.MustOK(ctx, "CLUSTER", "SETSLOT", number, "MIGRATING", to.ID)
	return err
}

// MigrateKeys moves the given keys of the slot, or all of them when none is given.
func (c *Cluster) MigrateKeys(ctx context.Context, slot uint16, from, to *Node, keys ...string) error {
	if len(keys) > 0 {
		return c.migrate(ctx, from, to, keys)
	}
	for {
		reply, err := from.MustOK(ctx, "CLUSTER", "GETKEYSINSLOT", strconv.Itoa(int(slot)), "100")
		if err != nil {
			return err
		}
		keys, err := reply.Strings()
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return nil
		}
		if err := c.migrate(ctx, from, to, keys); err != nil {
			return err
		}
	}
}

func (c *Cluster) migrate(ctx context.Context, from, to *Node, keys []string) error {
	cmd := []string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.Port()), "", "0", "10000"}
	if p := c.config.Password; p != "" {
		cmd = append(cmd, "AUTH", p)
	}
	reply, err := from.MustOK(ctx, append(append(cmd, "KEYS"), keys...)...)
	if err == nil && reply.Text() == "NOKEY" {
		return fmt.Errorf("%s has none of the keys %q", from.Addr(), keys)
	}
	return err
}

// FinishMigration gives the slot to its new owner, tells every primary, and returns when all
// nodes agree. All keys have to be moved already.
func (c *Cluster) FinishMigration(ctx context.Context, slot uint16, from, to *Node) error {
	tell := []*Node{to, from} // the new owner first: a crash in between leaves no slot without owner
	for _, n := range c.members() {
		if n == to || n == from || !n.Running() {
			continue
		}
		role, err := n.MustOK(ctx, "INFO", "replication")
		if err != nil {
			return err
		}
		if strings.Contains(role.Text(), "role:master") {
			tell = append(tell, n)
		}
	}
	for _, n := range tell {
		if _, err := n.MustOK(ctx, "CLUSTER", "SETSLOT", strconv.Itoa(int(slot)), "NODE", to.ID); err != nil {
			return err
		}
	}
	return eventually(ctx, "the nodes to agree on the slot's new owner", func(ctx context.Context) error {
		v, err := c.agreed(ctx, nil)
		if err == nil && !v[to.ID].owns(slot) {
			err = fmt.Errorf("slot %d is not %s's", slot, to.Addr())
		}
		return err
	})
}

// AbortMigration closes the slot's move again. Keys already moved stay where they are, so
// move them back first.
func (c *Cluster) AbortMigration(ctx context.Context, slot uint16, from, to *Node) error {
	for _, n := range []*Node{from, to} {
		if _, err := n.MustOK(ctx, "CLUSTER", "SETSLOT", strconv.Itoa(int(slot)), "STABLE"); err != nil {
			return err
		}
	}
	return nil
}

// Failover makes the replica a primary by CLUSTER FAILOVER (with FORCE or TAKEOVER when
// given) and returns when all running nodes agree.
func (c *Cluster) Failover(ctx context.Context, replica *Node, mode ...string) error {
	if _, err := replica.MustOK(ctx, append([]string{"CLUSTER", "FAILOVER"}, mode...)...); err != nil {
		return err
	}
	return c.WaitFailover(ctx, replica)
}

// WaitFailover returns when the node is a primary with slots in the eyes of all running nodes.
func (c *Cluster) WaitFailover(ctx context.Context, replica *Node, leftOut ...*Node) error {
	return eventually(ctx, replica.Addr()+" to take over", func(ctx context.Context) error {
		v, err := c.agreed(ctx, leftOut)
		if err == nil && v[replica.ID].count() == 0 {
			err = fmt.Errorf("%s owns no slots", replica.Addr())
		}
		return err
	})
}
