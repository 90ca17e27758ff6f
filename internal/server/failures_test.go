package server

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestReachableAgain: a primary that fails, and comes back as a replica to which nobody sends,
// counts as reachable again.
func TestReachableAgain(t *testing.T) {
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Replicas: 1, NodeTimeout: 2 * time.Second})
	r := start(t, settings(t, "--valkey", strings.Join(cluster.Seeds(), ","), "--admin-listen=127.0.0.1:0", "--topology-refresh=1s"))
	client := r.client(t)
	primary := cluster.Primaries()[0]
	replica := cluster.Replicas(primary)[0]
	key := cluster.KeyFor(t, primary)
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"SET", key, "v"})); err != nil {
		t.Fatal(err)
	}
	down := "node=" + primary.Addr()
	primary.Kill(t)
	eventually(t, "the node is unreachable", func() bool {
		_, _ = client.ExecuteBatch(testContext(t), batch([]string{"GET", key}))
		return r.scrape(t).of("valkeybatch_node_reachable", down) == 0
	})
	cluster.WaitFailover(t, replica)
	eventually(t, "the replica serves", func() bool {
		answer, err := client.ExecuteBatch(testContext(t), batch([]string{"GET", key}))
		return err == nil && answer.GetFailedCount() == 0
	})
	if got := r.scrape(t).of("valkeybatch_node_reachable", down); got != 0 {
		t.Errorf("reachable before it is back: %v", got)
	}
	primary.Start(t)
	cluster.WaitAgreement(t)
	// From here on nobody sends anything.
	eventually(t, "the node is reachable again", func() bool { return r.scrape(t).of("valkeybatch_node_reachable", down) == 1 })
}

// TestSlotsUncovered: the slots of a primary that has failed do not count as served, though the
// cluster still names it as their owner.
func TestSlotsUncovered(t *testing.T) {
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{NodeTimeout: 2 * time.Second, Args: []string{"--cluster-require-full-coverage", "no"}})
	r := start(t, settings(t, "--valkey", strings.Join(cluster.Seeds(), ","), "--admin-listen=127.0.0.1:0", "--topology-refresh=1s"))
	slots := func() float64 { return r.scrape(t).of("valkeybatch_topology_slots") }
	eventually(t, "all slots are served", func() bool { return slots() == 16384 })
	primary := cluster.Primaries()[0]
	primary.Kill(t)
	eventually(t, "its slots are not served", func() bool { n := slots(); return n > 16384/2 && n < 16384*3/4 })
	primary.Start(t)
	eventually(t, "all slots are served again", func() bool { return slots() == 16384 })
}

// TestNoSlots: a deployment that is no cluster has no slots to be served.
func TestNoSlots(t *testing.T) {
	r := start(t, settings(t, "--valkey", valkeytest.SharedServer(t).Addr(), "--admin-listen=127.0.0.1:0"))
	eventually(t, "the topology is known", func() bool { return r.scrape(t).of("valkeybatch_topology_nodes", "role=primary") == 1 })
	if got := r.scrape(t).of("valkeybatch_topology_slots"); !math.IsNaN(got) {
		t.Errorf("%v slots", got)
	}
}
