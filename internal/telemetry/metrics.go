package telemetry

import (
	"runtime"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// namespace begins the names of the service's own metrics.
const namespace = "valkeybatch"

// statuses is how many gRPC status codes there are.
const statuses = int(codes.Unauthenticated) + 1

// The modes of batches, as labels name them.
var modes = [2]string{"pipeline", "atomic"}

func modeOf(atomic bool) int {
	if atomic {
		return 1
	}
	return 0
}

// Metrics keeps the server's metrics. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	provider *grpcprom.ServerMetrics
	calls    callCounts

	batches  [2][statuses]prometheus.Counter
	failures map[string]prometheus.Counter
	duration [2]prometheus.Observer
	size     prometheus.Histogram

	commands     [command.Families]prometheus.Counter
	outcomes     [outcomes]prometheus.Counter
	errors       map[string]prometheus.Counter
	subPipelines prometheus.Histogram
	rounds       prometheus.Counter
	redirects    [2]prometheus.Counter
	retries      [executor.Causes]prometheus.Counter
	queue        [node.Classes]prometheus.Observer
	nodes        nodeTimes
}

// NewMetrics returns metrics that are all zero. The version is that of the program.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		provider: grpcprom.NewServerMetrics(),
		failures: make(map[string]prometheus.Counter),
		errors:   make(map[string]prometheus.Counter),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.provider, &m.calls,
	)
	m.registerBuild(version)
	m.registerBatches()
	m.registerCommands()
	m.nodes.init()
	m.registry.MustRegister(&m.nodes)
	return m
}

// Gatherer is what a scrape reads.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// StreamInterceptor counts streams, by go-grpc-middleware's provider.
func (m *Metrics) StreamInterceptor() grpc.StreamServerInterceptor {
	return m.provider.StreamServerInterceptor()
}

// UnaryInterceptor counts unary calls: those of other services than this one's by
// go-grpc-middleware's provider. For a call that takes seven times what all metrics of a small
// batch do (BenchmarkProvider, BenchmarkBatch), so that ExecuteBatch is counted beside it, under
// the same names.
func (m *Metrics) UnaryInterceptor() grpc.UnaryServerInterceptor {
	others := m.provider.UnaryServerInterceptor()
	return func(ctx ctx, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if info.FullMethod == executeMethod {
			return m.calls.count(ctx, req, handler)
		}
		return others(ctx, req, info, handler)
	}
}

// Batch takes note of a batch, on a call of its own or on a stream: what its caller was told
// and how long that took from when the request was there.
func (m *Metrics) Batch(atomic bool, commands int, code codes.Code, took time.Duration) {
	mode := modeOf(atomic)
	if int(code) >= statuses {
		code = codes.Unknown
	}
	m.batches[mode][code].Inc()
	m.duration[mode].Observe(took.Seconds())
	m.size.Observe(float64(commands))
}

// Failed takes note of a batch that failed as a whole, or of a stream: of the reason that its caller
// was told, empty for none.
func (m *Metrics) Failed(reason string) {
	counter := m.failures[reason]
	if counter == nil {
		counter = m.failures[otherReason]
	}
	counter.Inc()
}

// otherReason stands for the many reasons that say what is wrong with a request, and for none.
const otherReason = "other"

func (m *Metrics) registerBuild(version string) {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info",
		Help: "1, with the version of the server and of Go as labels.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build)
}

// durations are buckets from what a single command takes to the longest timeout by default (max-timeout).
var durations = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 30, 60, 120, 300}

func (m *Metrics) registerBatches() {
	total := m.counters("batches_total", "Batches by mode (pipeline, atomic) and the gRPC status that their callers were told.", "mode", "status")
	failures := m.counters("failures_total", "Batches that failed as a whole, and streams that ended with an error of the service, by the reason that their callers were told; other where that says what is wrong with the request.", "reason")
	for _, reason := range append(service.Reasons(), otherReason) {
		m.failures[reason] = failures.WithLabelValues(reason)
	}
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "batch_duration_seconds", Buckets: durations,
		Help: "Time of a batch from when its request was received until its response was ready, by mode.",
	}, []string{"mode"})
	m.size = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "batch_commands", Buckets: []float64{1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6},
		Help: "Commands of a batch, refused ones included.",
	})
	m.registry.MustRegister(took, m.size)
	for mode, name := range modes {
		for code := range statuses {
			m.batches[mode][code] = total.WithLabelValues(name, statusName(codes.Code(code)))
		}
		m.duration[mode] = took.WithLabelValues(name)
	}
}

// counters registers a counter with labels.
func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}
