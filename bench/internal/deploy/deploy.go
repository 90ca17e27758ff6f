// Package deploy runs the deployments that are measured: real valkey-servers as local
// processes on loopback, without persistence.
package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/proc"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// Kind is a deployment that scenarios name: the number of its primaries, 0 for a standalone
// server.
type Kind int

// The deployments.
const (
	Standalone Kind = 0
	Cluster3   Kind = 3
	Cluster30  Kind = 30
)

func (k Kind) String() string {
	if k == Standalone {
		return "standalone"
	}
	return fmt.Sprintf("%d primaries", int(k))
}

// nodeTimeout lets a cluster stand still for as long as others are measured: its nodes do
// not take each other for dead.
const nodeTimeout = 24 * time.Hour

// Deployment is one that is running, or standing still.
type Deployment struct {
	Kind    Kind
	servers []*local.Server
	close   func() error
	dataset string // what is loaded
}

// Start starts a deployment and returns when it serves.
func Start(ctx context.Context, kind Kind) (*Deployment, error) {
	if kind == Standalone {
		server, err := local.Start(ctx, local.Config{})
		if err != nil {
			return nil, err
		}
		return &Deployment{Kind: kind, servers: []*local.Server{server}, close: server.Close}, nil
	}
	cluster, err := local.StartCluster(ctx, local.ClusterConfig{Primaries: int(kind), NodeTimeout: nodeTimeout})
	if err != nil {
		return nil, err
	}
	d := &Deployment{Kind: kind, close: cluster.Close}
	for _, node := range cluster.Nodes {
		d.servers = append(d.servers, node.Server)
	}
	return d, nil
}

// Close ends all of its processes.
func (d *Deployment) Close() error { return d.close() }

// Nodes are the addresses of its servers.
func (d *Deployment) Nodes() []string {
	nodes := make([]string, len(d.servers))
	for i, s := range d.servers {
		nodes[i] = s.Addr()
	}
	return nodes
}

// CPU is what its servers have used so far.
func (d *Deployment) CPU() (time.Duration, error) {
	pids := make([]int, len(d.servers))
	for i, s := range d.servers {
		pids[i] = s.PID()
	}
	return proc.CPU(pids...)
}

// Pause has the servers stand still, so that their idle work disturbs no measurement.
func (d *Deployment) Pause() error { return d.each((*local.Server).Pause) }

// Resume lets them go on.
func (d *Deployment) Resume() error { return d.each((*local.Server).Resume) }

func (d *Deployment) each(f func(*local.Server) error) error {
	for _, s := range d.servers {
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

// loadBatch is how many bytes are written at once, about.
const loadBatch = 4 << 20

// Load puts the data there that the spec needs, and nothing else, unless it is there.
func (d *Deployment) Load(ctx context.Context, spec workload.Spec) error {
	if d.dataset == spec.Dataset() {
		return nil
	}
	d.dataset = ""
	for _, s := range d.servers {
		if _, err := s.MustOK(ctx, "FLUSHALL", "SYNC"); err != nil {
			return err
		}
	}
	floor, err := subject.ByName("floor")
	if err != nil {
		return err
	}
	client, err := floor.New(subject.Config{Target: subject.Target{Cluster: d.Kind != Standalone, Nodes: d.Nodes()}})
	if err != nil {
		return err
	}
	defer client.Close()
	caller, err := client.Caller()
	if err != nil {
		return err
	}
	ops := spec.Load()
	step := max(1, loadBatch/(spec.Size+64))
	for i := 0; i < len(ops); i += step {
		if err := caller.Do(ops[i:min(i+step, len(ops))]); err != nil {
			return fmt.Errorf("loading %s: %w", spec.Dataset(), err)
		}
	}
	d.dataset = spec.Dataset()
	return nil
}
