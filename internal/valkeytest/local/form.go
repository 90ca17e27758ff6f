package local

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// formingTimeout is the cluster-node-timeout (ms) while the cluster forms: nodes tell each
// other what they know every half of it.
const formingTimeout = "1000"

// form makes one cluster of nodes that know nothing of each other yet.
func (c *Cluster) form(ctx context.Context) error {
	err := inParallel(len(c.Nodes), func(i int) error {
		node := c.Nodes[i]
		cmds := [][]string{
			{"CONFIG", "SET", "cluster-node-timeout", formingTimeout},
			// Distinct epochs from the start: nothing to settle between the nodes later.
			{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)},
		}
		if node.Primary == nil {
			n := c.config.Primaries
			first, last := Slots*i/n, Slots*(i+1)/n-1
			cmds = append(cmds, []string{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)})
		}
		for _, cmd := range cmds {
			if _, err := node.MustOK(ctx, cmd...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, node := range c.Nodes {
		for _, other := range c.Nodes[i+1:] {
			if _, err := node.MustOK(ctx, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(other.Port())); err != nil {
				return err
			}
		}
	}
	err = inParallel(len(c.Nodes), func(i int) error {
		node := c.Nodes[i]
		if node.Primary == nil {
			return nil
		}
		return eventually(ctx, "a replica to know its primary", func(ctx context.Context) error {
			_, err := node.MustOK(ctx, "CLUSTER", "REPLICATE", node.Primary.ID)
			return err
		})
	})
	if err != nil {
		return err
	}
	if err := inParallel(len(c.Nodes), func(i int) error {
		return eventually(ctx, "the cluster to form", func(ctx context.Context) error { return c.formed(ctx, c.Nodes[i]) })
	}); err != nil {
		return err
	}
	timeout := strconv.FormatInt(c.config.NodeTimeout.Milliseconds(), 10)
	return inParallel(len(c.Nodes), func(i int) error {
		_, err := c.Nodes[i].MustOK(ctx, "CONFIG", "SET", "cluster-node-timeout", timeout)
		return err
	})
}

// formed says what the node still lacks of the cluster that was asked for.
func (c *Cluster) formed(ctx context.Context, node *Node) error {
	client, err := node.Dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	info, err := client.Do(ctx, "CLUSTER", "INFO")
	if err != nil {
		return err
	}
	for _, want := range []string{
		"cluster_state:ok", "cluster_slots_ok:16384",
		fmt.Sprintf("cluster_known_nodes:%d", len(c.Nodes)),
		fmt.Sprintf("cluster_size:%d", c.config.Primaries),
	} {
		if !strings.Contains(info.Text(), want+"\r\n") {
			return fmt.Errorf("%s: CLUSTER INFO lacks %s", node.Addr(), want)
		}
	}
	replication, err := client.Do(ctx, "INFO", "replication")
	if err != nil {
		return err
	}
	want, n := "state=online", c.config.Replicas
	if node.Primary != nil {
		want, n = "master_link_status:up", 1
	}
	if strings.Count(replication.Text(), want) != n {
		return fmt.Errorf("%s: INFO replication lacks %d times %s", node.Addr(), n, want)
	}
	// A node counts as online, and is listed in CLUSTER SLOTS, once its replication offset
	// has got around; a primary without replicas has none and counts all the same.
	shards, err := client.Do(ctx, "CLUSTER", "SHARDS")
	if err != nil {
		return err
	}
	if got := bytes.Count(shards, []byte("\r\nonline\r\n")); got != len(c.Nodes) {
		return fmt.Errorf("%s: CLUSTER SHARDS says that %d of %d nodes are online", node.Addr(), got, len(c.Nodes))
	}
	view, err := readView(ctx, client)
	if err != nil {
		return err
	}
	for i, other := range c.Nodes {
		seen, ok := view[other.ID]
		switch {
		case !ok:
			return fmt.Errorf("%s does not know %s", node.Addr(), other.Addr())
		case seen.unsettled():
			return fmt.Errorf("%s: %s is still %s", node.Addr(), other.Addr(), seen.flags)
		case other.Primary != nil && seen.primary != other.Primary.ID:
			return fmt.Errorf("%s does not see %s as replica of %s", node.Addr(), other.Addr(), other.Primary.Addr())
		case other.Primary == nil && int(seen.count()) != Slots*(i+1)/c.config.Primaries-Slots*i/c.config.Primaries:
			return fmt.Errorf("%s sees %s with %d slots", node.Addr(), other.Addr(), seen.count())
		}
	}
	return nil
}
