package control

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/leaktest"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// within is the time anything in these tests may take.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// always is a client's TLS settings that do not change.
func always(settings *tls.Config) func() *tls.Config {
	return func() *tls.Config { return settings }
}

func client(t *testing.T, config Config) *Client {
	c := New(config)
	t.Cleanup(c.Close)
	return c
}

func server(t *testing.T, config local.Config) *local.Server {
	t.Helper()
	s, err := local.Start(within(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func cluster(t *testing.T, config local.ClusterConfig) *local.Cluster {
	t.Helper()
	c, err := local.StartCluster(within(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func topology(t *testing.T, c *Client) *slotmap.Topology {
	t.Helper()
	topo, err := c.Topology(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// eventually refreshes until the topology is as wanted.
func eventually(t *testing.T, c *Client, what string, cond func(*slotmap.Topology) bool) *slotmap.Topology {
	t.Helper()
	ctx := within(t)
	for {
		topo, err := c.Topology(ctx)
		if err == nil && cond(topo) {
			return topo
		}
		if ctx.Err() != nil {
			t.Fatalf("not in time: %s; last error %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func primary(topo *slotmap.Topology, slot uint16) string {
	addr, _ := topo.Primary(slot)
	return addr
}

// failure returns what a node said, from an error about all nodes.
func failure(t *testing.T, err error) *NodeError {
	t.Helper()
	var all *UnavailableError
	if !errors.As(err, &all) || len(all.Nodes) == 0 {
		t.Fatalf("%v is not about nodes", err)
	}
	return all.Nodes[0]
}

func must(t *testing.T, s *local.Server, args ...string) string {
	t.Helper()
	reply, err := s.MustOK(within(t), args...)
	if err != nil {
		// Not every reply that is no error is OK.
		if reply.Err() != nil || len(reply) == 0 {
			t.Fatal(err)
		}
	}
	return reply.Text()
}
