package deploy

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

func starting(t *testing.T, c Config) (context.Context, *Deployment) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	d, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, d
}

func do(t *testing.T, ctx context.Context, n *Node, line ...string) local.Reply {
	t.Helper()
	reply, err := n.MustOK(ctx, line...)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// pushed are the elements that records hold of a node.
func pushed(t *testing.T, d *Deployment, node string) (elements []string) {
	t.Helper()
	records, err := d.Records()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Node != node {
			continue
		}
		for _, p := range r.Pushes {
			elements = append(elements, p.Element)
		}
	}
	return elements
}

// A server that is killed keeps its data and its record; both are empty when they are forgotten.
func TestStandalone(t *testing.T) {
	ctx, d := starting(t, Config{Standalone: true})
	n := d.Nodes()[0]
	do(t, ctx, n, "RPUSH", "list", "a", "b")
	do(t, ctx, n, "SET", "key", "v")
	if err := n.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	truth, err := d.Read(ctx, Wanted{Lists: []string{"list", "none"}, Strings: []string{"key", "none"}})
	if err != nil {
		t.Fatal(err)
	}
	want := &Truth{Lists: map[string][]string{"list": {"a", "b"}, "none": nil}, Strings: map[string]string{"key": "v"}}
	if diff := cmp.Diff(want, truth); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, pushed(t, d, n.Name)); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if err := d.Forget(ctx); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, n, "RPUSH", "list", "c")
	if got := pushed(t, d, n.Name); !slices.Contains(got, "c") || do(t, ctx, n, "LLEN", "list").Text() != "1" {
		t.Errorf("recorded %v", got)
	}
	c, err := local.Dial(ctx, n.Name, local.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if reply, err := c.Do(ctx, "LLEN", "list"); err != nil || reply.Text() != "1" {
		t.Errorf("through the proxy: %q, %v", reply, err)
	}
}

// Clients are led to the proxies. What a primary executed stays on record when it is replaced and
// takes over other data.
func TestClusterKeepsTheRecordOfAReplacedPrimary(t *testing.T) {
	ctx, d := starting(t, Config{Replicas: 1, NodeTimeout: time.Second})
	slot := uint16(100)
	key := local.Tag(slot)
	primary, err := d.Owner(ctx, slot)
	if err != nil {
		t.Fatal(err)
	}
	replica, err := d.Replica(ctx, primary)
	if err != nil {
		t.Fatal(err)
	}
	other, err := d.Primaries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := other[1].Do(ctx, "GET", key)
	if want := "MOVED 100 " + primary.Name; err != nil || reply.Text() != want {
		t.Errorf("%q, %v; want %q", reply.Text(), err, want)
	}
	do(t, ctx, primary, "RPUSH", key, "kept")
	// What it executes while its replica hears nothing of it is lost.
	do(t, ctx, primary, "WAIT", "1", "10000")
	if err := replica.Pause(); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, primary, "RPUSH", key, "lost")
	if err := primary.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	// What was sent to the replica sits in its socket, so that it is not to come from there.
	if err := replica.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := d.Local().WaitFailover(ctx, replica.Node); err != nil {
		t.Fatal(err)
	}
	if err := primary.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if got := pushed(t, d, primary.Name); !slices.Contains(got, "lost") || !slices.Contains(got, "kept") {
		t.Errorf("on record of the primary that was replaced: %v", got)
	}
	joined, err := d.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.Nodes()); n != 7 {
		t.Errorf("%d nodes", n)
	}
	if err := d.Leave(ctx, joined); err != nil {
		t.Fatal(err)
	}
	if err := d.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}
