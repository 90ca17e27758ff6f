package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// State is where a scrape finds what the server is doing at the moment. All of it is required.
type State struct {
	// InFlight returns the batches in flight and what they count as in bytes, ReplyBytes what
	// their replies take.
	InFlight   func() (batches, bytes int64)
	ReplyBytes func() int64
	// Arriving returns the bytes of long requests on their way in by gRPC that are not among those in
	// flight yet, HTTPBytes those of all requests by HTTP and of the answers made of their replies.
	Arriving  func() int64
	HTTPBytes func() (requests, answers int64)
	// Connections returns how many connections callers have open on the listeners of each kind.
	Connections func() (byGRPC, byHTTP int64)
	// MaxBatches, MaxBytes and MaxReplyBytes are the bounds of those.
	MaxBatches, MaxBytes, MaxReplyBytes int64
	// Serving tells what health says.
	Serving func() bool
	// Topology returns the current snapshot, nil before there is one, and Refreshes what became
	// of reading it.
	Topology  func() *slotmap.Topology
	Refreshes func() slotmap.Stats
	// Nodes returns the state of the connections. Of nodes that the topology lacks nothing is told.
	Nodes func() []node.Stats
	// LostSpans returns how many spans were dropped because too many waited to be sent, and how many
	// could not be sent.
	LostSpans func() (waiting, sending uint64)
}

// Watch has scrapes tell the state too. It is called once, before the first scrape.
func (m *Metrics) Watch(s State) {
	m.nodes.topology = s.Topology
	m.registry.MustRegister(&stateCollector{s})
}

type stateCollector struct{ State }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	inFlightBatches    = desc("in_flight_batches", "Batches that are carried out at this moment.")
	inFlightBytes      = desc("in_flight_request_bytes", "What the batches in flight count as in bytes.")
	inFlightReplyBytes = desc("in_flight_reply_bytes", "Bytes of replies that are held until their responses are sent.")
	arrivingBytes      = desc("arriving_request_bytes", "Bytes of long requests on their way in by gRPC, before they are in flight.")
	httpRequestBytes   = desc("http_request_bytes", "Bytes of requests by HTTP, from when they arrive until their calls end or their streams go on.")
	httpAnswerBytes    = desc("http_answer_bytes", "Bytes of JSON answers that are held until they are sent.")
	connections        = desc("connections", "Open connections of callers, by kind of listener (grpc, http).", "listener")
	spansLost          = desc("trace_spans_lost_total", "Spans that did not reach the collector, by cause: queue_full where too many waited to be sent, export where sending failed.", "cause")
	maxBatches         = desc("in_flight_batches_limit", "Most batches in flight (max-in-flight-batches).")
	maxBytes           = desc("in_flight_request_bytes_limit", "Most bytes of batches in flight (max-in-flight-bytes).")
	maxReplyBytes      = desc("in_flight_reply_bytes_limit", "Most bytes of replies held (max-in-flight-reply-bytes).")
	serving            = desc("serving", "1 while health says SERVING, 0 while it does not.")
	topologyAge        = desc("topology_age_seconds", "Time since the topology was read last. Missing until it is known.")
	topologyRefreshes  = desc("topology_refreshes_total", "Reads of the topology, by result (success, failure).", "result")
	topologyNodes      = desc("topology_nodes", "Nodes of the deployment by role (primary, replica).", "role")
	topologySlots      = desc("topology_slots", "Hash slots of the cluster, of 16,384, whose primary has not failed. Missing until it is known, and of a deployment that is no cluster.")
	nodeReachable      = desc("node_reachable", "0 from when a connection to the node fails until it answers again, commands or the server's own probe; 1 otherwise.", "node")
	nodeDials          = desc("node_dials_total", "Connections opened to the node, by result (success, failure).", "node", "result")
	nodeLost           = desc("node_connections_lost_total", "Connections to the node that ended while they were wanted.", "node")
	nodeConnections    = desc("node_connections", "Open connections to the node, by lane and state (idle, in_use).", "node", "lane", "state")
	nodeInFlight       = desc("node_in_flight", "Sub-pipelines and transactions on the node's connections, by lane.", "node", "lane")
	nodeInFlightBytes  = desc("node_in_flight_bytes", "Bytes of the sub-pipelines on the node's shared connections, by lane.", "node", "lane")
	nodeWaiting        = desc("node_waiting", "Sub-pipelines that wait for room on the node's shared connections, by lane.", "node", "lane")
)

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		inFlightBatches, inFlightBytes, inFlightReplyBytes, arrivingBytes, httpRequestBytes, httpAnswerBytes, connections, spansLost, maxBatches, maxBytes, maxReplyBytes, serving,
		topologyAge, topologyRefreshes, topologyNodes, topologySlots,
		nodeReachable, nodeDials, nodeLost, nodeConnections, nodeInFlight, nodeInFlightBytes, nodeWaiting,
	} {
		out <- d
	}
}

// sink takes the metrics of one scrape.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v uint64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(out chan<- prometheus.Metric) {
	s := sink(out)
	batches, bytes := c.InFlight()
	s.gauge(inFlightBatches, float64(batches))
	s.gauge(inFlightBytes, float64(bytes))
	s.gauge(inFlightReplyBytes, float64(c.ReplyBytes()))
	s.gauge(arrivingBytes, float64(c.Arriving()))
	requests, answers := c.HTTPBytes()
	s.gauge(httpRequestBytes, float64(requests))
	s.gauge(httpAnswerBytes, float64(answers))
	byGRPC, byHTTP := c.Connections()
	s.gauge(connections, float64(byGRPC), "grpc")
	s.gauge(connections, float64(byHTTP), "http")
	waiting, sending := c.LostSpans()
	s.counter(spansLost, waiting, "queue_full")
	s.counter(spansLost, sending, "export")
	s.gauge(maxBatches, float64(c.MaxBatches))
	s.gauge(maxBytes, float64(c.MaxBytes))
	s.gauge(maxReplyBytes, float64(c.MaxReplyBytes))
	s.gauge(serving, number(c.Serving()))
	c.topology(s)
	t := c.Topology()
	for _, n := range c.Nodes() {
		// One that has left may have been used once more by a batch that did not know it yet.
		if t == nil || t.Has(n.Addr) {
			collectNode(s, n)
		}
	}
}

func (c *stateCollector) topology(s sink) {
	refreshes := c.Refreshes()
	s.counter(topologyRefreshes, refreshes.Refreshes, "success")
	s.counter(topologyRefreshes, refreshes.Failures, "failure")
	if !refreshes.Refreshed.IsZero() {
		s.gauge(topologyAge, time.Since(refreshes.Refreshed).Seconds())
	}
	primaries, nodes := 0, 0
	if t := c.Topology(); t != nil {
		primaries, nodes = len(t.Primaries()), len(t.Nodes())
		if t.IsCluster() {
			s.gauge(topologySlots, float64(t.Served()))
		}
	}
	s.gauge(topologyNodes, float64(primaries), "primary")
	s.gauge(topologyNodes, float64(nodes-primaries), "replica")
}

func collectNode(s sink, n node.Stats) {
	s.gauge(nodeReachable, number(n.Reachable), n.Addr)
	s.counter(nodeDials, n.Dialled, n.Addr, "success")
	s.counter(nodeDials, n.DialFailures, n.Addr, "failure")
	s.counter(nodeLost, n.Lost, n.Addr)
	for class, l := range n.Lanes {
		lane := node.Class(class).String()
		s.gauge(nodeConnections, float64(l.Open-l.InUse), n.Addr, lane, "idle")
		s.gauge(nodeConnections, float64(l.InUse), n.Addr, lane, "in_use")
		s.gauge(nodeInFlight, float64(l.InFlight), n.Addr, lane)
		if class <= int(node.Bulk) { // the others have connections to themselves
			s.gauge(nodeInFlightBytes, float64(l.Bytes), n.Addr, lane)
			s.gauge(nodeWaiting, float64(l.Waiting), n.Addr, lane)
		}
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
