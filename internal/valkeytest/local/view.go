package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// seenNode is what one node's CLUSTER NODES says of a node.
type seenNode struct {
	flags   string
	primary string // id of the primary, "-" for a primary
	linked  bool   // the asked node's bus connection to it is up
	slots   [][2]uint16
}

// view is one node's CLUSTER NODES by node id.
type view map[string]seenNode

func (n seenNode) has(flag string) bool { return slices.Contains(strings.Split(n.flags, ","), flag) }

// unsettled says that the node is not (or not yet) a full and healthy member.
func (n seenNode) unsettled() bool {
	return !n.linked || n.has("fail") || n.has("fail?") || n.has("handshake") || n.has("noaddr")
}

func (n seenNode) count() (total uint16) {
	for _, r := range n.slots {
		total += r[1] - r[0] + 1
	}
	return total
}

func (n seenNode) owns(slot uint16) bool {
	return slices.ContainsFunc(n.slots, func(r [2]uint16) bool { return r[0] <= slot && slot <= r[1] })
}

// readView asks the client's node. Slots on their way ("[93-<-...]") count for nobody but
// their owner.
func readView(ctx context.Context, client *Client) (view, error) {
	reply, err := client.Do(ctx, "CLUSTER", "NODES")
	if err == nil {
		err = reply.Err()
	}
	if err != nil {
		return nil, err
	}
	v := view{}
	for line := range strings.Lines(reply.Text()) {
		f := strings.Fields(line)
		if len(f) < 8 {
			return nil, fmt.Errorf("malformed line in CLUSTER NODES: %q", line)
		}
		// Of itself a node says "connected" in the place of the link's state.
		n := seenNode{flags: f[2], primary: f[3], linked: f[7] == "connected"}
		for _, part := range f[8:] {
			if strings.HasPrefix(part, "[") {
				continue
			}
			first, last, isRange := strings.Cut(part, "-")
			if !isRange {
				last = first
			}
			a, errA := strconv.ParseUint(first, 10, 14)
			b, errB := strconv.ParseUint(last, 10, 14)
			if err := errors.Join(errA, errB); err != nil {
				return nil, fmt.Errorf("malformed slots in CLUSTER NODES: %w", err)
			}
			n.slots = append(n.slots, [2]uint16{uint16(a), uint16(b)})
		}
		v[f[0]] = n
	}
	return v, nil
}

func (n *Node) view(ctx context.Context) (view, error) {
	client, err := n.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return readView(ctx, client)
}

// shape is what nodes have to agree on: who owns which slots, and which of the running
// nodes replicate whom.
func (v view) shape(running []*Node) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(v)) {
		if n := v[id]; len(n.slots) > 0 {
			fmt.Fprintf(&b, "%s owns %v\n", id, n.slots)
		}
	}
	for _, n := range running {
		fmt.Fprintf(&b, "%s of %s\n", n.ID, v[n.ID].primary)
	}
	return b.String()
}

// WaitAgreement returns when all nodes that answer see every slot served by the same
// owners, and each other alive. Nodes whose process is down are left out; a paused node
// hangs, so it must be resumed first or named as left out.
func (c *Cluster) WaitAgreement(ctx context.Context, leftOut ...*Node) error {
	return eventually(ctx, "the nodes to agree", func(ctx context.Context) error {
		_, err := c.agreed(ctx, leftOut)
		return err
	})
}

func (c *Cluster) agreed(ctx context.Context, leftOut []*Node) (view, error) {
	var running []*Node
	for _, n := range c.members() {
		if n.Running() && !slices.Contains(leftOut, n) {
			running = append(running, n)
		}
	}
	if len(running) == 0 {
		return nil, errors.New("no node is running")
	}
	views := make([]view, len(running))
	err := inParallel(len(running), func(i int) error {
		v, err := running[i].healthy(ctx)
		views[i] = v
		return err
	})
	if err != nil {
		return nil, err
	}
	first := views[0].shape(running)
	for i, v := range views {
		for _, other := range running {
			if v[other.ID].unsettled() {
				return nil, fmt.Errorf("%s sees %s as %q", running[i].Addr(), other.Addr(), v[other.ID].flags)
			}
		}
		if s := v.shape(running); s != first {
			return nil, fmt.Errorf("%s sees:\n%s%s sees:\n%s", running[0].Addr(), first, running[i].Addr(), s)
		}
	}
	return views[0], nil
}

// healthy returns the node's view once it takes the cluster as up and, on a replica, has its
// link to the primary.
func (n *Node) healthy(ctx context.Context) (view, error) {
	client, err := n.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	info, err := client.Do(ctx, "CLUSTER", "INFO")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(info.Text(), "cluster_state:ok\r\n") {
		return nil, fmt.Errorf("%s: cluster_state is not ok", n.Addr())
	}
	replication, err := client.Do(ctx, "INFO", "replication")
	if err != nil {
		return nil, err
	}
	if strings.Contains(replication.Text(), "master_link_status:down") {
		return nil, fmt.Errorf("%s: the link to its primary is down", n.Addr())
	}
	return readView(ctx, client)
}

// Owner returns the primary that the running nodes name as the slot's owner, by the first
// of them that answers.
func (c *Cluster) Owner(ctx context.Context, slot uint16) (*Node, error) {
	var owner *Node
	err := c.seen(ctx, func(v view) bool {
		for id, seen := range v {
			if seen.owns(slot) {
				if owner = c.Node(id); owner != nil {
					return true
				}
			}
		}
		return false
	})
	if err != nil {
		return nil, fmt.Errorf("no node knows an owner of slot %d: %w", slot, err)
	}
	return owner, nil
}

// errUnseen is why views that nothing is wrong with do not do.
var errUnseen = errors.New("it is in no view of a running node")

// seen shows the views of the running nodes, one after the other, until one does; else it
// returns why none did.
func (c *Cluster) seen(ctx context.Context, does func(view) bool) error {
	var errs []error
	for _, n := range c.members() {
		if !n.Running() {
			continue
		}
		v, err := n.view(ctx)
		if err != nil {
			errs = append(errs, err)
		} else if does(v) {
			return nil
		}
	}
	return errors.Join(append(errs, errUnseen)...)
}

// SlotOf returns the lowest slot that the node owns as it sees itself.
func (n *Node) SlotOf(ctx context.Context) (uint16, error) {
	v, err := n.view(ctx)
	if err != nil {
		return 0, err
	}
	self := v[n.ID]
	if len(self.slots) == 0 {
		return 0, fmt.Errorf("%s owns no slot", n.Addr())
	}
	return self.slots[0][0], nil
}
