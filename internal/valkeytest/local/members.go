package local

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// Layout returns the primaries in the order of their lowest slots, as the first node that
// answers sees them.
func (c *Cluster) Layout(ctx context.Context) ([]*Node, error) {
	var owners []*Node
	err := c.seen(ctx, func(v view) bool {
		lowest := map[*Node]uint16{}
		for id, seen := range v {
			if owner := c.Node(id); owner != nil && len(seen.slots) > 0 {
				owners = append(owners, owner)
				lowest[owner] = seen.slots[0][0]
			}
		}
		slices.SortFunc(owners, func(a, b *Node) int { return int(lowest[a]) - int(lowest[b]) })
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("no node answers: %w", err)
	}
	return owners, nil
}

// ReplicaOf returns a replica of the node that is running and in the node's own eyes well.
func (c *Cluster) ReplicaOf(ctx context.Context, primary *Node) (*Node, error) {
	v, err := primary.view(ctx)
	if err != nil {
		return nil, err
	}
	for id, seen := range v {
		if n := c.Node(id); n != nil && seen.primary == primary.ID && !seen.unsettled() && n.Running() {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%s has no replica that is well", primary.Addr())
}

// Add starts one more node, which knows of no other yet. Close ends it with the others.
func (c *Cluster) Add(ctx context.Context) (*Node, error) {
	config := c.members()[0].config
	config.Port = 0
	s, err := Start(ctx, config)
	if err != nil {
		return nil, err
	}
	n := &Node{Server: s}
	c.mu.Lock()
	c.Nodes = append(slices.Clone(c.Nodes), n)
	c.mu.Unlock()
	id, err := s.MustOK(ctx, "CLUSTER", "MYID")
	n.ID = id.Text()
	return n, err
}

// Meet makes a node that was added part of the cluster, as a primary without slots.
func (c *Cluster) Meet(ctx context.Context, n *Node) error {
	if _, err := n.MustOK(ctx, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(c.members()[0].Port())); err != nil {
		return err
	}
	return c.WaitAgreement(ctx)
}

// Leave makes the other nodes forget a node that serves no slots. Its process goes on.
func (c *Cluster) Leave(ctx context.Context, gone *Node) error {
	c.mu.Lock()
	c.Nodes = slices.DeleteFunc(slices.Clone(c.Nodes), func(n *Node) bool { return n == gone })
	c.mu.Unlock()
	for _, n := range c.members() {
		if !n.Running() {
			continue
		}
		if _, err := n.MustOK(ctx, "CLUSTER", "FORGET", gone.ID); err != nil {
			return err
		}
	}
	// Else it would say hello to those that have forgotten it.
	_, err := gone.MustOK(ctx, "CLUSTER", "RESET", "SOFT")
	return err
}

// members are the nodes as they are now.
func (c *Cluster) members() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Nodes
}
