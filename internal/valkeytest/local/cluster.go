package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// ClusterConfig says what cluster is started.
type ClusterConfig struct {
	Primaries   int           // 3 when 0
	Replicas    int           // per primary
	NodeTimeout time.Duration // cluster-node-timeout; 5 s when 0
	Args        []string      // further arguments of every node; they win over this package's own
	Binary      string        // DefaultBinary when empty
	Password    string        // requirepass and masterauth of every node
	TLS         bool          // TLS only, between the nodes as well
	Ports       []int         // one per node, primaries first; free ones when nil
}

// Node is one server of a cluster.
type Node struct {
	*Server
	ID      string // the node id
	Primary *Node  // the primary that it was started as a replica of; nil for a primary
}

// Cluster is a running cluster: Nodes holds its primaries first, in the order of the slots
// that they were given, then its replicas.
type Cluster struct {
	Nodes  []*Node
	config ClusterConfig
	tlsDir string
	mu     sync.Mutex // guards Nodes where nodes join and leave
}

// StartCluster starts the processes, forms the cluster, and returns when every node agrees
// that all slots are served and every replica is in sync.
func StartCluster(ctx context.Context, config ClusterConfig) (*Cluster, error) {
	if config.Primaries == 0 {
		config.Primaries = 3
	}
	if config.NodeTimeout == 0 {
		config.NodeTimeout = 5 * time.Second
	}
	c := &Cluster{config: config}
	err := c.startNodes(ctx)
	if err == nil {
		err = c.form(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting a cluster: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) startNodes(ctx context.Context) error {
	n := c.config.Primaries * (1 + c.config.Replicas)
	if len(c.config.Ports) != 0 && len(c.config.Ports) != n {
		return fmt.Errorf("%d ports given for %d nodes", len(c.config.Ports), n)
	}
	config := Config{
		Binary:   c.config.Binary,
		Password: c.config.Password,
		Cluster:  true,
		Args: append([]string{
			"--cluster-node-timeout", strconv.FormatInt(c.config.NodeTimeout.Milliseconds(), 10),
			"--cluster-replica-validity-factor", "0", // a replica may always take over
			"--cluster-allow-replica-migration", "no", // replicas stay with the primary they were given
			"--cluster-migration-barrier", "100",
		}, c.config.Args...),
	}
	if c.config.TLS {
		dir, err := os.MkdirTemp("", "valkeytest-tls-")
		if err != nil {
			return err
		}
		c.tlsDir = dir
		if config.TLS, err = NewTLS(dir); err != nil {
			return err
		}
	}
	nodes := make([]*Node, n)
	err := inParallel(n, func(i int) error {
		config := config
		if len(c.config.Ports) != 0 {
			config.Port = c.config.Ports[i]
		}
		s, err := Start(ctx, config)
		if err != nil {
			return err
		}
		nodes[i] = &Node{Server: s}
		id, err := s.MustOK(ctx, "CLUSTER", "MYID")
		nodes[i].ID = id.Text()
		return err
	})
	for i, node := range nodes {
		if node == nil {
			continue
		}
		if i >= c.config.Primaries {
			node.Primary = nodes[(i-c.config.Primaries)/c.config.Replicas]
		}
		c.Nodes = append(c.Nodes, node)
	}
	return err
}

// Config returns what the cluster was started with, defaults filled in.
func (c *Cluster) Config() ClusterConfig { return c.config }

// Close kills every process and removes what they left behind.
func (c *Cluster) Close() error {
	err := inParallel(len(c.Nodes), func(i int) error { return c.Nodes[i].Close() })
	if c.tlsDir != "" {
		err = errors.Join(err, os.RemoveAll(c.tlsDir))
	}
	return err
}

// Node returns the node with the given id, nil when there is none.
func (c *Cluster) Node(id string) *Node {
	nodes := c.members()
	i := slices.IndexFunc(nodes, func(n *Node) bool { return n.ID == id })
	if i < 0 {
		return nil
	}
	return nodes[i]
}

// inParallel calls f for 0..n-1 at once and joins the errors.
func inParallel(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// eventually calls check until it returns nil, and tells why it did not when ctx ends first.
func eventually(ctx context.Context, what string, check func(context.Context) error) error {
	for {
		// One hanging node must not hold up the whole wait.
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := check(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w", what, context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
