package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// otlp is a collector of OpenTelemetry's protocol that keeps what it is sent.
type otlp struct {
	collector.UnimplementedTraceServiceServer
	addr string

	mu    sync.Mutex
	spans []*tracev1.Span
	about []*common.KeyValue
}

// Export implements the collector's service.
func (o *otlp) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, resource := range req.GetResourceSpans() {
		o.about = resource.GetResource().GetAttributes()
		for _, scope := range resource.GetScopeSpans() {
			o.spans = append(o.spans, scope.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (o *otlp) all() []*tracev1.Span {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*tracev1.Span(nil), o.spans...)
}

func startOTLP(t *testing.T) *otlp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &otlp{addr: l.Addr().String()}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, o)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return o
}

// attributes are a span's or a resource's, as texts.
func attributes(list []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		default:
			text := a.GetValue().String()
			_, out[a.GetKey()], _ = strings.Cut(text, ":")
		}
	}
	return out
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// TestTraces reads traces back from a collector: those of callers that are traced, with a child
// for each sub-pipeline of each round.
func TestTraces(t *testing.T) {
	o := startOTLP(t)
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	r := start(t, settings(t, "--valkey", strings.Join(cluster.Seeds(), ","), "--trace-endpoint=http://"+o.addr, "--trace-sample=0"))
	client := r.client(t)
	keys, owners := clusterKeys(t, cluster)
	send := func(flags string, req *valkeybatchv1.ExecuteBatchRequest) {
		t.Helper()
		ctx := metadata.AppendToOutgoingContext(testContext(t), "traceparent", "00-"+callersTrace+"-"+callersSpan+"-"+flags)
		if _, err := client.ExecuteBatch(ctx, req); err != nil {
			t.Fatal(err)
		}
	}
	secret := "an argument's value"
	send("00", batch([]string{"SET", keys[0], secret})) // not traced by its caller
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"GET", keys[0]})); err != nil {
		t.Fatal(err)
	}
	cluster.BeginMigration(t, valkeytest.Slot(keys[0]), owners[0], owners[1])
	send("01", batch([]string{"SET", keys[1], secret}, []string{"GET", keys[0] + "none"}, []string{"GET", keys[0]}))
	atomic := batch([]string{"SET", keys[2], secret})
	atomic.Batch.IsAtomic = true
	send("01", atomic)
	if err := r.stop(); err != nil { // sends what is left
		t.Fatal(err)
	}
	spans := o.all()
	if len(spans) != 2+3+1 {
		t.Fatalf("%d spans: %v", len(spans), spans)
	}
	roots := map[string]*tracev1.Span{}
	children := map[string][]map[string]string{}
	for _, s := range spans {
		if strings.Contains(s.String(), secret) {
			t.Errorf("an argument is in %v", s)
		}
		if got := hexOf(s.GetTraceId()); got != callersTrace {
			t.Errorf("trace %s", got)
		}
		if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
			t.Errorf("a span ends before it starts: %v", s)
		}
		a := attributes(s.GetAttributes())
		if s.GetKind() == tracev1.Span_SPAN_KIND_SERVER {
			if got := hexOf(s.GetParentSpanId()); got != callersSpan {
				t.Errorf("the caller's span is %s, want %s", got, callersSpan)
			}
			roots[a["valkeybatch.atomic"]] = s
			continue
		}
		a["name"] = s.GetName()
		children[string(s.GetParentSpanId())] = append(children[string(s.GetParentSpanId())], a)
	}
	root := roots["false"]
	if root.GetName() != "valkeybatch.v1.BatchService/ExecuteBatch" {
		t.Errorf("the span's name is %q", root.GetName())
	}
	a := attributes(root.GetAttributes())
	for key, want := range map[string]string{
		"rpc.system": "grpc", "rpc.grpc.status_code": "0", "valkeybatch.commands": "3", "valkeybatch.failed_count": "0",
		"valkeybatch.rounds": "2", "valkeybatch.sub_pipelines": "3", "valkeybatch.redirects.ask": "1", "valkeybatch.redirects.moved": "0",
	} {
		if a[key] != want {
			t.Errorf("%s is %q, want %q", key, a[key], want)
		}
	}
	got := map[string]map[string]string{}
	for _, child := range children[string(root.GetSpanId())] {
		got[child["valkeybatch.round"]+" "+child["valkeybatch.node"]] = child
	}
	for key, want := range map[string]map[string]string{
		"0 " + owners[0].Addr(): {"db.operation.batch.size": "2", "valkeybatch.redirected": "1", "valkeybatch.slots": "1"},
		"0 " + owners[1].Addr(): {"db.operation.batch.size": "1", "valkeybatch.redirected": "0", "valkeybatch.slots": "1", "valkeybatch.lane": "ordinary"},
		"1 " + owners[1].Addr(): {"db.operation.batch.size": "1", "valkeybatch.asking": "1", "name": "sub-pipeline"},
	} {
		for name, value := range want {
			if got[key][name] != value {
				t.Errorf("%s: %s is %q, want %q", key, name, got[key][name], value)
			}
		}
	}
	if c := children[string(roots["true"].GetSpanId())]; len(c) != 1 || c[0]["name"] != "transaction" || c[0]["valkeybatch.node"] != owners[2].Addr() {
		t.Errorf("the transaction's children are %v", c)
	}
	if about := attributes(o.about); about["service.name"] != "valkeybatch-server" {
		t.Errorf("the resource is %v", about)
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

// TestTraceShare: of callers without a trace of their own all are traced where all are to be.
// A collector that is not there holds nothing up.
func TestTraceShare(t *testing.T) {
	o := startOTLP(t)
	r := start(t, settings(t, "--trace-endpoint=http://"+o.addr, "--trace-sample=1"))
	s := r.stream(t, testContext(t))
	for id := range uint64(3) {
		sendOn(t, s, id, batch([]string{"PING"}))
		receiveOn(t, s)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(o.all()); n != 6 {
		t.Errorf("%d spans of 3 batches on a stream", n)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r = start(t, settings(t, "--trace-endpoint=http://"+l.Addr().String(), "--trace-sample=1"))
	if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"PING"})); err != nil {
		t.Error(err)
	}
}

// TestAccessLog: each batch leaves a line that says what it was, and never what it held.
func TestAccessLog(t *testing.T) {
	r := start(t, settings(t, "--access-log"))
	ctx := metadata.AppendToOutgoingContext(testContext(t), "x-request-id", "mine")
	if _, err := r.client(t).ExecuteBatch(ctx, batch([]string{"SET", "k", "secret"}, []string{"LPUSH", "k", "secret"})); err != nil {
		t.Fatal(err)
	}
	raise := batch([]string{"SET", "k", "v"}, []string{"LPUSH", "k", "secret"})
	raise.RaiseOnError = true
	raise.Batch.IsAtomic = true
	if _, err := r.client(t).ExecuteBatch(testContext(t), raise); err == nil {
		t.Fatal("no error")
	}
	eventually(t, "two lines", func() bool { return strings.Count(r.log.String(), "level=INFO msg=batch ") == 2 })
	lines := accessLines(r.log.String())
	for _, part := range []string{"request_id=mine", "peer=127.0.0.1:", "method=/valkeybatch.v1.BatchService/ExecuteBatch", "mode=pipeline",
		"commands=2", "request_bytes=", "status=OK", "failed_count=1", "response_bytes=", "duration="} {
		if !strings.Contains(lines[0], part) {
			t.Errorf("no %s in %s", part, lines[0])
		}
	}
	for _, part := range []string{"mode=atomic", "status=FailedPrecondition", "reason=COMMAND_FAILED"} {
		if !strings.Contains(lines[1], part) {
			t.Errorf("no %s in %s", part, lines[1])
		}
	}
	if strings.Contains(r.log.String(), "secret") {
		t.Errorf("an argument is logged: %s", r.log)
	}
}

func accessLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "level=INFO msg=batch ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestAccessLogSample: a share of all batches leaves lines.
func TestAccessLogSample(t *testing.T) {
	r := start(t, settings(t, "--access-log", "--access-log-sample=0.5"))
	client := r.client(t)
	const n = 400
	for range n {
		if _, err := client.ExecuteBatch(testContext(t), batch([]string{"PING"})); err != nil {
			t.Fatal(err)
		}
	}
	// Ten standard deviations around the half.
	if got := len(accessLines(r.log.String())); got < n/4 || got > n*3/4 {
		t.Errorf("%d lines of %d batches", got, n)
	}
}

// TestSlowLog: a batch that takes long says where its time went.
func TestSlowLog(t *testing.T) {
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	r := start(t, settings(t, "--valkey", strings.Join(cluster.Seeds(), ","), "--slow-batch=2s"))
	keys, owners := clusterKeys(t, cluster)
	client := r.client(t)
	for range 3 {
		if _, err := client.ExecuteBatch(testContext(t), batch([]string{"SET", keys[0], "secret"})); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(r.log.String(), "a batch was slow") {
		t.Errorf("a quick batch is slow: %s", r.log)
	}
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"BLPOP", keys[1] + "none", "3"}, []string{"GET", keys[0]})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a line", func() bool {
		return strings.Contains(r.log.String(), "lane=blocking") || strings.Contains(r.log.String(), "slowest.0.lane=blocking")
	})
	text := r.log.String()
	line := text[strings.Index(text, `msg="a batch was slow"`):]
	line, _, _ = strings.Cut(line, "\n")
	for _, part := range []string{"request_id=", "duration=", "mode=pipeline", "commands=2", "planning=", "in_rounds=", "of_that_queued=", "between_rounds=",
		"rounds=1", "sub_pipelines=2", "retries=0", "slowest_node=" + owners[1].Addr(), "slowest.0.node=" + owners[1].Addr(), "slowest.1.node=" + owners[0].Addr(), "slowest.0.took=", "slowest.0.queued="} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in %s", part, line)
		}
	}
	if strings.Contains(line, "secret") || strings.Contains(line, keys[0]) {
		t.Errorf("an argument is logged: %s", line)
	}
}

// TestReadiness: /readyz says what health says.
func TestReadiness(t *testing.T) {
	srv := valkeytest.StartServer(t)
	r := start(t, settings(t, "--valkey", srv.Addr(), "--admin-listen=127.0.0.1:0", "--admin-pprof"))
	is := func(want int) func() bool {
		return func() bool { status, _ := r.get(t, "/readyz"); return status == want }
	}
	eventually(t, "ready", is(http.StatusOK))
	srv.Kill(t)
	eventually(t, "not ready", is(http.StatusServiceUnavailable))
	if status, _ := r.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	if status, _ := r.get(t, "/debug/pprof/goroutine?debug=1"); status != http.StatusOK {
		t.Errorf("profiles: %d", status)
	}
	if got := r.scrape(t).of("valkeybatch_serving"); got != 0 {
		t.Errorf("valkeybatch_serving is %v", got)
	}
}

// TestSlowWithoutNode: pauses before retries are no planning, though there was no node to send to.
func TestSlowWithoutNode(t *testing.T) {
	at := time.Now()
	r := &executor.Report{Commands: 1, Start: at, Planned: at.Add(time.Second), End: at.Add(5 * time.Second)}
	got := map[string]string{}
	for _, a := range where(r) {
		got[a.Key] = a.Value.String()
	}
	want := map[string]string{"planning": "1s", "in_rounds": "0s", "of_that_queued": "0s", "between_rounds": "4s",
		"rounds": "0", "sub_pipelines": "0", "moved": "0", "ask": "0", "retries": "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
