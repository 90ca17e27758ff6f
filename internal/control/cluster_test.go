package control

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

func addrs(nodes []*local.Node) (addrs []string) {
	for _, n := range nodes {
		addrs = append(addrs, n.Addr())
	}
	return addrs
}

// verify holds a topology against the server's own routing: for a sample of slots,
// the node named answers without a redirect.
func verify(t *testing.T, c *local.Cluster, topo *slotmap.Topology) {
	t.Helper()
	if topo.Assigned() != slotmap.Slots {
		t.Errorf("%d slots assigned", topo.Assigned())
	}
	for slot := uint16(0); slot < slotmap.Slots; slot += 1021 {
		owner, err := c.Owner(within(t), slot)
		if err != nil {
			t.Fatal(err)
		}
		if got := primary(topo, slot); got != owner.Addr() {
			t.Errorf("slot %d: %q, want %q", slot, got, owner.Addr())
		}
	}
}

// TestClusterLife follows a cluster with replicas through a migration, a new empty
// node, a failover, and dead and hanging nodes. Redis 7.0 gets the same.
func TestClusterLife(t *testing.T) {
	for _, binary := range []string{"valkey-server", "redis-server"} {
		t.Run(binary, func(t *testing.T) {
			cl := cluster(t, local.ClusterConfig{Replicas: 1, NodeTimeout: 2 * time.Second, Binary: binary})
			c := client(t, Config{Seeds: []string{cl.Nodes[4].Addr()}})
			ctx := within(t)

			topo := topology(t, c)
			verify(t, cl, topo)
			if diff := cmp.Diff(addrs(cl.Nodes[:3]), topo.Primaries()); diff != "" {
				t.Errorf("primaries: %s", diff)
			}
			want := addrs(cl.Nodes)
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(slices.Values(topo.Nodes()))); diff != "" {
				t.Errorf("nodes: %s", diff)
			}
			for _, replica := range cl.Nodes[3:] {
				slot, _ := topo.ShardSlot(replica.Primary.Addr())
				if diff := cmp.Diff([]string{replica.Addr()}, topo.Replicas(slot)); diff != "" {
					t.Errorf("replicas: %s", diff)
				}
			}
			if err := c.Health(ctx); err != nil {
				t.Error(err)
			}

			const slot = 700
			if err := cl.BeginMigration(ctx, slot, cl.Nodes[0], cl.Nodes[1]); err != nil {
				t.Fatal(err)
			}
			if got := primary(topology(t, c), slot); got != cl.Nodes[0].Addr() {
				t.Errorf("while it migrates the slot is still %q's", got)
			}
			if err := cl.FinishMigration(ctx, slot, cl.Nodes[0], cl.Nodes[1]); err != nil {
				t.Fatal(err)
			}
			topo = eventually(t, c, "migrated", func(topo *slotmap.Topology) bool {
				return primary(topo, slot) == cl.Nodes[1].Addr() && primary(topo, slot+1) == cl.Nodes[0].Addr()
			})
			if topo.Assigned() != slotmap.Slots {
				t.Errorf("%d slots", topo.Assigned())
			}

			fresh := server(t, local.Config{Binary: binary, Cluster: true, Args: []string{"--cluster-node-timeout", "2000"}})
			must(t, cl.Nodes[0].Server, "CLUSTER", "MEET", "127.0.0.1", portOf(fresh))
			topo = eventually(t, c, "the empty node is known", func(topo *slotmap.Topology) bool { return topo.Has(fresh.Addr()) })
			if _, owns := topo.ShardSlot(fresh.Addr()); owns || !topo.IsPrimary(fresh.Addr()) || topo.Failed(fresh.Addr()) ||
				topo.Primaries()[3] != fresh.Addr() {
				t.Errorf("the empty primary: %v", topo.Primaries())
			}

			if err := cl.Failover(ctx, cl.Nodes[3]); err != nil {
				t.Fatal(err)
			}
			topo = eventually(t, c, "failed over", func(topo *slotmap.Topology) bool {
				return primary(topo, 0) == cl.Nodes[3].Addr() && slices.Equal(topo.Replicas(0), []string{cl.Nodes[0].Addr()})
			})
			if topo.IsPrimary(cl.Nodes[0].Addr()) {
				t.Error("the former primary")
			}

			// A primary dies; its replica takes over, and the dead one is known as such.
			if err := cl.Nodes[1].Kill(ctx); err != nil {
				t.Fatal(err)
			}
			topo = eventually(t, c, "taken over", func(topo *slotmap.Topology) bool {
				return primary(topo, 6000) == cl.Nodes[4].Addr() && topo.Failed(cl.Nodes[1].Addr())
			})
			if !topo.Has(cl.Nodes[1].Addr()) || slices.Contains(topo.Primaries(), cl.Nodes[1].Addr()) || topo.Failed(cl.Nodes[4].Addr()) {
				t.Errorf("nodes %v, primaries %v", topo.Nodes(), topo.Primaries())
			}
			eventually(t, c, "every other node is well", func(topo *slotmap.Topology) bool {
				for _, n := range topo.Nodes() {
					if topo.Failed(n) && n != cl.Nodes[1].Addr() {
						return false
					}
				}
				return true
			})
			if err := c.Health(ctx); err != nil {
				t.Error(err)
			}

			// One hangs: nobody waits for it.
			if err := cl.Nodes[5].Pause(); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for range 3 {
				topology(t, c)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("three refreshes took %v", took)
			}
			if err := c.Health(ctx); err != nil {
				t.Error(err)
			}
			if err := cl.Nodes[5].Resume(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestClusterSecured(t *testing.T) {
	cl := cluster(t, local.ClusterConfig{Replicas: 1, Password: "secret", TLS: true})
	c := client(t, Config{Seeds: addrs(cl.Nodes[:1]), Password: credential.Fixed("secret"), TLS: always(cl.Nodes[0].Config().TLS.Client)})
	for range 2 { // the second time through the addresses the cluster announced
		topo := topology(t, c)
		verify(t, cl, topo)
		if len(topo.Nodes()) != 6 {
			t.Errorf("%v", topo.Nodes())
		}
	}
	if err := c.Health(within(t)); err != nil {
		t.Error(err)
	}
}

// TestClusterEndpoints has the cluster announce host names, or nothing at all.
func TestClusterEndpoints(t *testing.T) {
	cl := cluster(t, local.ClusterConfig{Primaries: 3, Args: []string{"--cluster-announce-hostname", "localhost"}})
	seeds := addrs(cl.Nodes[:1])
	named := func(host string) (list []string) {
		for _, n := range cl.Nodes {
			list = append(list, host+":"+portOf(n.Server))
		}
		return list
	}
	for _, c := range []struct {
		kind, seed string
		want       []string
	}{
		{"ip", seeds[0], named("127.0.0.1")},
		{"hostname", seeds[0], named("localhost")},
		{"unknown-endpoint", "localhost:" + portOf(cl.Nodes[0].Server), named("localhost")},
		{"unknown-endpoint", seeds[0], named("127.0.0.1")},
	} {
		for _, n := range cl.Nodes {
			must(t, n.Server, "CONFIG", "SET", "cluster-preferred-endpoint-type", c.kind)
		}
		asker := client(t, Config{Seeds: []string{c.seed}})
		eventually(t, asker, fmt.Sprintf("%s by %s", c.want, c.kind), func(topo *slotmap.Topology) bool {
			return slices.Equal(topo.Primaries(), c.want) && topo.Assigned() == slotmap.Slots
		})
	}
	// A node without a host name is reached by its IP address.
	must(t, cl.Nodes[2].Server, "CONFIG", "SET", "cluster-announce-hostname", "")
	for _, n := range cl.Nodes {
		must(t, n.Server, "CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname")
	}
	want := append(named("localhost")[:2], cl.Nodes[2].Addr())
	asker := client(t, Config{Seeds: seeds})
	eventually(t, asker, "an IP address for ?", func(topo *slotmap.Topology) bool { return slices.Equal(topo.Primaries(), want) })
}

func TestClusterZones(t *testing.T) {
	cl := cluster(t, local.ClusterConfig{Replicas: 1})
	for i, n := range cl.Nodes[:5] {
		must(t, n.Server, "CONFIG", "SET", "availability-zone", fmt.Sprint("zone", i))
	}
	c := client(t, Config{Seeds: addrs(cl.Nodes[:1]), Zones: true})
	topo := topology(t, c)
	for i, n := range cl.Nodes {
		want := fmt.Sprint("zone", i)
		if i == 5 {
			want = ""
		}
		if got := topo.Zone(n.Addr()); got != want {
			t.Errorf("node %d: %q, want %q", i, got, want)
		}
	}
	if got := topology(t, client(t, Config{Seeds: addrs(cl.Nodes[:1])})).Zone(cl.Nodes[0].Addr()); got != "" {
		t.Errorf("%q was not asked for", got)
	}
}

func TestClusterRestrictedUser(t *testing.T) {
	cl := cluster(t, local.ClusterConfig{Primaries: 3})
	for user, rules := range map[string]string{
		"slots":  "+cluster|slots",
		"shards": "+cluster|shards",
		"none":   "+get",
	} {
		for _, n := range cl.Nodes {
			must(t, n.Server, "ACL", "SETUSER", user, "on", ">pw", rules)
		}
		c := client(t, Config{Seeds: addrs(cl.Nodes), Username: user, Password: credential.Fixed("pw")})
		topo, err := c.Topology(within(t))
		if user == "none" {
			if n := failure(t, err); !strings.Contains(n.Error(), "NOPERM") {
				t.Errorf("%v", err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", user, err)
		}
		verify(t, cl, topo)
		if err := c.Health(within(t)); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
}

// TestClusterHealth has a cluster that says that it cannot serve.
func TestClusterHealth(t *testing.T) {
	cl := cluster(t, local.ClusterConfig{Primaries: 3})
	c := client(t, Config{Seeds: addrs(cl.Nodes)})
	topology(t, c)
	for _, n := range cl.Nodes {
		must(t, n.Server, "CLUSTER", "DELSLOTS", "5000")
	}
	var state *StateError
	for end := time.Now().Add(20 * time.Second); !errors.As(c.Health(within(t)), &state); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still healthy")
		}
	}
	if state.State != "cluster_state:fail" {
		t.Errorf("%v", state)
	}
	eventually(t, c, "the slot is nobody's", func(topo *slotmap.Topology) bool {
		_, ok := topo.Primary(5000)
		return !ok && topo.Assigned() == slotmap.Slots-1
	})
}

// TestKindChanges has another kind of deployment behind the same address.
func TestKindChanges(t *testing.T) {
	ctx := within(t)
	first := server(t, local.Config{})
	port := first.Port()
	c := client(t, Config{Seeds: []string{first.Addr()}})
	m := slotmap.NewMap(c, slotmap.Config{Interval: 50 * time.Millisecond, MinInterval: time.Millisecond})
	t.Cleanup(m.Close)
	if topo, err := m.Refresh(ctx); err != nil || topo.IsCluster() {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); m.Err() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody noticed")
		}
	}
	second := server(t, local.Config{Port: port, Cluster: true})
	must(t, second, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if topo := m.Load(); topo.IsCluster() && topo.Assigned() == slotmap.Slots {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the cluster was not found")
		}
	}
	if got := primary(m.Load(), 1); got != second.Addr() {
		t.Errorf("%q", got)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	server(t, local.Config{Port: port})
	for end := time.Now().Add(20 * time.Second); m.Load().IsCluster(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the standalone server was not found")
		}
	}
}
