package telemetry

import (
	"context"
	"strings"
	"testing"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

func report(addrs ...string) *executor.Report {
	now := time.Now()
	r := &executor.Report{Commands: 1, Start: now, Planned: now, End: now.Add(time.Millisecond), Rounds: 1, Results: make([]executor.Result, 1)}
	r.Families[command.FamilyString] = 1
	for _, addr := range addrs {
		r.Sends = append(r.Sends, executor.Send{Node: addr, Commands: 1, Start: now, Written: now, End: now.Add(time.Millisecond)})
	}
	return r
}

// TestNodesLeave: the series of a node end once it is not in the topology any more.
func TestNodesLeave(t *testing.T) {
	m := NewMetrics("v0")
	topology := slotmap.Standalone("a:1")
	m.Watch(State{
		InFlight: func() (int64, int64) { return 0, 0 }, ReplyBytes: func() int64 { return 0 }, Serving: func() bool { return true },
		Topology: func() *slotmap.Topology { return topology }, Refreshes: func() slotmap.Stats { return slotmap.Stats{} },
		Arriving: func() int64 { return 0 }, HTTPBytes: func() (int64, int64) { return 0, 0 }, Connections: func() (int64, int64) { return 0, 0 }, LostSpans: (*Tracer)(nil).Lost,
		Nodes: func() []node.Stats { return []node.Stats{{Addr: "a:1"}, {Addr: "b:1"}} },
	})
	nodes := func(metric ...string) string {
		t.Helper()
		name := "valkeybatch_node_duration_seconds"
		if len(metric) > 0 {
			name = metric[0]
		}
		families, err := m.Gatherer().Gather()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range families {
			for _, metric := range f.GetMetric() {
				for _, l := range metric.GetLabel() {
					if f.GetName() == name && l.GetName() == "node" {
						out = append(out, l.GetValue())
					}
				}
			}
		}
		return strings.Join(out, " ")
	}
	m.Executed(t.Context(), report("a:1"))
	if got := nodes(); got != "a:1" {
		t.Errorf("nodes %q", got)
	}
	topology = slotmap.Standalone("b:1")
	m.Executed(t.Context(), report("a:1", "b:1"))
	if got := nodes(); got != "b:1" {
		t.Errorf("after it has left: nodes %q", got)
	}
	// A batch that did not know it yet may have used it once more.
	if got := nodes("valkeybatch_node_reachable"); got != "b:1" {
		t.Errorf("reachable or not: nodes %q", got)
	}
	topology = nil // not known is not gone
	if got := nodes(); got != "b:1" {
		t.Errorf("nodes %q", got)
	}
}

// TestErrorCodesAreBounded: a code that somebody makes up makes no series.
func TestErrorCodesAreBounded(t *testing.T) {
	m := NewMetrics("v0")
	r := report()
	r.Failed = 1
	r.Results[0].Err = &executor.CommandError{Code: "MADEUP", Outcome: executor.Failed}
	m.Executed(t.Context(), r)
	m.Batch(false, 1, codes.Code(99), time.Second)
	if got := testutil.ToFloat64(m.errors[otherCode]); got != 1 {
		t.Errorf("other: %v", got)
	}
	if got := testutil.ToFloat64(m.batches[0][codes.Unknown]); got != 1 {
		t.Errorf("an unknown status: %v", got)
	}
}

// BenchmarkBatch is what metrics cost a batch of one command.
func BenchmarkBatch(b *testing.B) {
	m := NewMetrics("v0")
	r := report("a:1")
	calls := m.UnaryInterceptor()
	info := &grpc.UnaryServerInfo{FullMethod: executeMethod}
	handler := func(context.Context, any) (any, error) {
		m.Executed(context.Background(), r)
		m.Batch(false, 1, codes.OK, time.Millisecond)
		return nil, nil
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = calls(context.Background(), nil, info, handler)
	}
}

// BenchmarkProvider is what go-grpc-middleware's provider would cost a call in the place of what
// counts ExecuteBatch here.
func BenchmarkProvider(b *testing.B) {
	m := grpcprom.NewServerMetrics()
	prometheus.NewRegistry().MustRegister(m)
	calls := m.UnaryServerInterceptor()
	info := &grpc.UnaryServerInfo{FullMethod: executeMethod}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	b.ReportAllocs()
	for b.Loop() {
		_, _ = calls(context.Background(), nil, info, handler)
	}
}

// BenchmarkNotTraced is what a tracer costs a batch that it does not trace.
func BenchmarkNotTraced(b *testing.B) {
	t := &Tracer{share: 0.000001}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = t.sampled(context.Background())
	}
}

// TestNoSeriesStays: a node that leaves while batches on it end leaves no series behind.
func TestNoSeriesStays(t *testing.T) {
	var times nodeTimes
	times.init()
	topology := slotmap.Standalone("b:1")
	times.topology = func() *slotmap.Topology { return topology }
	for range 1000 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for lane := range node.Class(node.Classes) {
				times.of("a:1", lane).Observe(1)
			}
		}()
		for during := true; during; {
			select {
			case <-ended:
				during = false
			default:
			}
			times.prune()
		}
		if n := testutil.CollectAndCount(times.vec); n != 0 {
			t.Fatalf("%d series of a node that has left", n)
		}
	}
}
