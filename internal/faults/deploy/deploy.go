package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/proxy"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// host is where proxies listen, and hostname what the nodes call it.
const host = "127.0.0.2"

// Config says what is started.
type Config struct {
	Standalone   bool
	Primaries    int           // 3 when 0
	Replicas     int           // per primary
	NodeTimeout  time.Duration // how long a silent node counts as alive; 2 s when 0
	FullCoverage bool          // a cluster that lacks a slot serves none (cluster-require-full-coverage)
	Seed         uint64        // of the proxies
}

// Deployment is one that is running.
type Deployment struct {
	config  Config
	cluster *local.Cluster // nil: standalone
	records *records

	mu    sync.Mutex
	nodes []*Node
}

// Node is a server and the proxy before it.
type Node struct {
	*local.Node
	Proxy *proxy.Proxy
	// Name is the address that clients know the node by.
	Name string
}

// Start starts a deployment and returns when it serves.
func Start(ctx context.Context, config Config) (*Deployment, error) {
	if config.NodeTimeout == 0 {
		config.NodeTimeout = 2 * time.Second
	}
	d := &Deployment{config: config}
	servers, err := d.start(ctx)
	for _, s := range servers {
		if err == nil {
			err = d.expose(s)
		}
	}
	if err == nil {
		d.records, err = record(d.dirs)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Deployment) args() []string {
	args := []string{
		"--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0",
		"--proto-max-bulk-len", "512mb", "--client-output-buffer-limit", "normal 0 0 0",
	}
	if d.config.Standalone {
		return args
	}
	coverage := "no"
	if d.config.FullCoverage {
		coverage = "yes"
	}
	return append(args, "--cluster-announce-hostname", host, "--cluster-preferred-endpoint-type", "hostname",
		"--cluster-require-full-coverage", coverage)
}

func (d *Deployment) start(ctx context.Context) ([]*local.Node, error) {
	if d.config.Standalone {
		s, err := local.Start(ctx, local.Config{Args: d.args()})
		if err != nil {
			return nil, err
		}
		return []*local.Node{{Server: s}}, nil
	}
	var err error
	d.cluster, err = local.StartCluster(ctx, local.ClusterConfig{
		Primaries: d.config.Primaries, Replicas: d.config.Replicas, NodeTimeout: d.config.NodeTimeout, Args: d.args(),
	})
	if err != nil {
		return nil, err
	}
	return slices.Clone(d.cluster.Nodes), nil
}

// expose puts a proxy before a server.
func (d *Deployment) expose(s *local.Node) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := net.JoinHostPort(host, strconv.Itoa(s.Port()))
	p, err := proxy.Listen(name, s.Addr(), d.config.Seed+uint64(len(d.nodes)))
	if err != nil {
		return fmt.Errorf("the proxy before %s (it needs the loopback address %s): %w", s.Addr(), host, err)
	}
	d.nodes = append(d.nodes, &Node{Node: s, Proxy: p, Name: name})
	return nil
}

// Cluster is whether it is one.
func (d *Deployment) Cluster() bool { return d.cluster != nil }

// Local is the cluster below the proxies.
func (d *Deployment) Local() *local.Cluster { return d.cluster }

// Nodes are all nodes that are part of it.
func (d *Deployment) Nodes() []*Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.nodes)
}

// Seeds are the addresses that clients begin with.
func (d *Deployment) Seeds() []string {
	var seeds []string
	for _, n := range d.Nodes() {
		seeds = append(seeds, n.Name)
	}
	return seeds
}

// of returns the node that a server is.
func (d *Deployment) of(s *local.Node) *Node {
	for _, n := range d.Nodes() {
		if n.Node == s {
			return n
		}
	}
	return nil
}

// Owner returns the node that serves a slot, as a node that runs sees it.
func (d *Deployment) Owner(ctx context.Context, slot uint16) (*Node, error) {
	if d.cluster == nil {
		return d.Nodes()[0], nil
	}
	s, err := d.cluster.Owner(ctx, slot)
	if err != nil {
		return nil, err
	}
	return d.of(s), nil
}

// Primaries returns the nodes that serve the slots, in the order of the slots.
func (d *Deployment) Primaries(ctx context.Context) ([]*Node, error) {
	if d.cluster == nil {
		return d.Nodes(), nil
	}
	slots, err := d.cluster.Layout(ctx)
	if err != nil {
		return nil, err
	}
	var primaries []*Node
	for _, s := range slots {
		if n := d.of(s); !slices.Contains(primaries, n) {
			primaries = append(primaries, n)
		}
	}
	return primaries, nil
}

// Replica returns a running replica of a node.
func (d *Deployment) Replica(ctx context.Context, of *Node) (*Node, error) {
	s, err := d.cluster.ReplicaOf(ctx, of.Node)
	if err != nil {
		return nil, err
	}
	return d.of(s), nil
}

// Settle returns when all nodes that run agree, and each is up.
func (d *Deployment) Settle(ctx context.Context) error {
	if d.cluster == nil {
		_, err := d.Nodes()[0].MustOK(ctx, "PING")
		return err
	}
	return d.cluster.WaitAgreement(ctx)
}

// Join starts one more node, without slots, as part of the cluster.
func (d *Deployment) Join(ctx context.Context) (*Node, error) {
	s, err := d.cluster.Add(ctx)
	if err != nil {
		return nil, err
	}
	// Clients are told of it as soon as the others know it.
	if err := d.expose(s); err != nil {
		return nil, err
	}
	return d.of(s), d.cluster.Meet(ctx, s)
}

// Leave takes a node that serves nothing out of the cluster and ends it.
func (d *Deployment) Leave(ctx context.Context, n *Node) error {
	if err := d.cluster.Leave(ctx, n.Node); err != nil {
		return err
	}
	d.records.keep() // before its directory goes
	d.mu.Lock()
	d.nodes = slices.DeleteFunc(slices.Clone(d.nodes), func(o *Node) bool { return o == n })
	d.mu.Unlock()
	n.Proxy.Close()
	return n.Node.Close()
}

// Close ends all processes and proxies, and removes what they left behind.
func (d *Deployment) Close() error {
	var errs []error
	nodes := d.Nodes()
	if d.records != nil {
		errs = append(errs, d.records.close())
	}
	for _, n := range nodes {
		n.Proxy.Close()
	}
	if d.cluster != nil {
		errs = append(errs, d.cluster.Close())
	} else {
		for _, n := range nodes {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// dirs are the directories of the servers, by name.
func (d *Deployment) dirs() map[string]string {
	dirs := make(map[string]string)
	for _, n := range d.Nodes() {
		dirs[n.Name] = n.Dir()
	}
	return dirs
}
