package valkeytest

import (
	"context"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// ClusterOptions say what cluster is started. The zero value is three primaries without
// replicas.
type ClusterOptions struct {
	Primaries   int           // 3 when 0
	Replicas    int           // per primary
	NodeTimeout time.Duration // cluster-node-timeout: how long a silent node counts as alive; 5 s when 0
	Args        []string      // further arguments of every node
	Password    string        // requirepass and masterauth of every node
	TLS         bool          // TLS only, with certificates as [TLS] makes them
}

// Cluster is a running cluster of real servers.
type Cluster struct {
	cluster *local.Cluster
	nodes   []*Server
}

// StartCluster starts a cluster and returns when all its nodes agree that every slot is
// served and every replica is in sync. It ends with the test.
func StartCluster(t testing.TB, o ClusterOptions) *Cluster {
	t.Helper()
	c, err := startCluster(o)
	if err != nil {
		t.Fatalf("valkeytest: %v", err)
	}
	t.Cleanup(func() { c.close(t) })
	return c
}

func startCluster(o ClusterOptions) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	lc, err := local.StartCluster(ctx, local.ClusterConfig{
		Primaries:   o.Primaries,
		Replicas:    o.Replicas,
		NodeTimeout: o.NodeTimeout,
		Args:        o.Args,
		Password:    o.Password,
		TLS:         o.TLS,
	})
	if err != nil {
		return nil, err
	}
	c := &Cluster{cluster: lc}
	for _, n := range lc.Nodes {
		c.nodes = append(c.nodes, &Server{node: n})
	}
	return c, nil
}

func (c *Cluster) close(t testing.TB) {
	t.Helper()
	if err := c.cluster.Close(); err != nil {
		t.Errorf("valkeytest: ending a cluster: %v", err)
	}
}

// Nodes returns all nodes: those that started as primaries in the order of their slots, then
// the replicas in the order of their primaries.
func (c *Cluster) Nodes() []*Server { return append([]*Server(nil), c.nodes...) }

// Primaries returns the nodes that the cluster started with as primaries, in the order of
// their slots. After a failover ask [Cluster.Owner].
func (c *Cluster) Primaries() []*Server {
	return append([]*Server(nil), c.nodes[:c.cluster.Config().Primaries]...)
}

// Replicas returns the nodes that started as replicas of the given one, or all replicas
// when it is nil.
func (c *Cluster) Replicas(of *Server) []*Server {
	var replicas []*Server
	for _, s := range c.nodes {
		if p := s.node.Primary; p != nil && (of == nil || p == of.node) {
			replicas = append(replicas, s)
		}
	}
	return replicas
}

// Seeds returns the addresses of all nodes.
func (c *Cluster) Seeds() []string {
	var addrs []string
	for _, s := range c.nodes {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// ByAddr returns the node with the given address, nil when there is none.
func (c *Cluster) ByAddr(addr string) *Server {
	for _, s := range c.nodes {
		if s.Addr() == addr {
			return s
		}
	}
	return nil
}

// Owner returns the primary that serves the key's slot now.
func (c *Cluster) Owner(t testing.TB, key string) *Server {
	t.Helper()
	return c.SlotOwner(t, Slot(key))
}

// SlotOwner returns the primary that serves the slot now.
func (c *Cluster) SlotOwner(t testing.TB, slot uint16) *Server {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	n, err := c.cluster.Owner(ctx, slot)
	if err != nil {
		t.Fatalf("valkeytest: %v", err)
	}
	return c.ByAddr(n.Addr())
}

// Flush empties every node that is a primary now.
func (c *Cluster) Flush(t testing.TB) {
	t.Helper()
	for _, s := range c.nodes {
		if !s.Running() {
			continue
		}
		if f := s.Do(t, "FLUSHALL", "SYNC"); f.IsError() && f.ErrorCode() != "READONLY" {
			t.Fatalf("valkeytest: flushing %s: %s", s.Addr(), f.ErrorText())
		}
	}
}

// WaitAgreement returns when all running nodes agree on who serves which slot and see each
// other alive. Paused nodes must be resumed first, or named as left out.
func (c *Cluster) WaitAgreement(t testing.TB, leftOut ...*Server) {
	t.Helper()
	c.must(t, func(ctx context.Context) error { return c.cluster.WaitAgreement(ctx, nodesOf(leftOut)...) })
}

func (c *Cluster) must(t testing.TB, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatalf("valkeytest: %v", err)
	}
}

func nodesOf(servers []*Server) []*local.Node {
	var nodes []*local.Node
	for _, s := range servers {
		nodes = append(nodes, s.node)
	}
	return nodes
}
