package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// nodeTimes is the histogram of how long nodes take. A node's label is forgotten at the first
// scrape after it has left the topology.
type nodeTimes struct {
	vec *prometheus.HistogramVec
	// topology tells the deployment's nodes; nil, or nil from it: not known.
	topology func() *slotmap.Topology
	known    atomic.Pointer[map[string]*laneTimes] // never changed, but replaced
	mu       sync.Mutex                            // held to replace known
}

// laneTimes are a node's histograms by class of connection, made when they are used.
type laneTimes [node.Classes]atomic.Pointer[prometheus.Observer]

func (t *nodeTimes) init() {
	t.vec = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "node_duration_seconds", Buckets: durations,
		Help: "Time of a sub-pipeline or transaction from when it was ready until all of it was answered or given up, by node and the connection's lane.",
	}, []string{"node", "lane"})
	t.known.Store(&map[string]*laneTimes{})
}

// of returns a node's histogram.
func (t *nodeTimes) of(addr string, lane node.Class) prometheus.Observer {
	if lanes := (*t.known.Load())[addr]; lanes != nil {
		if o := lanes[lane].Load(); o != nil {
			return *o
		}
	}
	return t.add(addr, lane)
}

// add makes a node's histogram. It looks again which nodes are known: a series of one that was
// forgotten meanwhile would never be.
func (t *nodeTimes) add(addr string, lane node.Class) prometheus.Observer {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.known.Load()
	lanes := known[addr]
	if lanes == nil {
		lanes = &laneTimes{}
		grown := maps.Clone(known)
		grown[addr] = lanes
		t.known.Store(&grown)
	}
	o := t.vec.WithLabelValues(addr, lane.String())
	lanes[lane].Store(&o)
	return o
}

// prune forgets the nodes that are gone.
func (t *nodeTimes) prune() {
	if t.topology == nil {
		return
	}
	topology := t.topology()
	if topology == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := maps.Clone(*t.known.Load())
	for addr := range kept {
		if !topology.Has(addr) {
			delete(kept, addr)
			t.vec.DeletePartialMatch(prometheus.Labels{"node": addr})
		}
	}
	t.known.Store(&kept)
}

// Describe implements prometheus.Collector.
func (t *nodeTimes) Describe(out chan<- *prometheus.Desc) { t.vec.Describe(out) }

// Collect implements prometheus.Collector.
func (t *nodeTimes) Collect(out chan<- prometheus.Metric) {
	t.prune()
	t.vec.Collect(out)
}
