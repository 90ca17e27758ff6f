package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// recorder is an Executor that records what it is given and answers every command with OK.
// What the executor itself does is tested with real servers elsewhere.
type recorder struct {
	calls int
	batch executor.Batch
	opts  options.Options
	err   error
	block chan struct{}
}

func (r *recorder) Execute(ctx context.Context, b executor.Batch, o options.Options) (*executor.Results, error) {
	r.calls++
	r.batch, r.opts = clone(b), o
	if r.block != nil {
		<-r.block
	}
	if r.err != nil {
		return nil, r.err
	}
	out := &executor.Results{Results: make([]executor.Result, len(b.Commands))}
	for i := range out.Results {
		out.Results[i].Frame = resp.Frame("+OK\r\n")
	}
	return out, nil
}

// clone copies a batch, whose memory is its caller's.
func clone(b executor.Batch) executor.Batch {
	out := executor.Batch{Atomic: b.Atomic, Commands: make([][][]byte, len(b.Commands))}
	for i, args := range b.Commands {
		for _, arg := range args {
			out.Commands[i] = append(out.Commands[i], bytes.Clone(arg))
		}
	}
	return out
}

func text(s string) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_StringValue{StringValue: s}}
}

func textCommand(args ...string) *valkeybatchv1.Command {
	return &valkeybatchv1.Command{TextArgs: args}
}

func binaryCommand(args ...string) *valkeybatchv1.Command {
	out := &valkeybatchv1.Command{}
	for _, arg := range args {
		out.Args = append(out.Args, []byte(arg))
	}
	return out
}

func pipeline(commands ...*valkeybatchv1.Command) *valkeybatchv1.ExecuteBatchRequest {
	return &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{Commands: commands}}
}

// execute calls the method as gRPC does, with the request's bytes.
func execute(s *Service, req *valkeybatchv1.ExecuteBatchRequest) (*valkeybatchv1.ExecuteBatchResponse, error) {
	encoded, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	return executeEncoded(s, encoded)
}

// executeEncoded calls the method as gRPC does, with these bytes.
func executeEncoded(s *Service, encoded []byte) (*valkeybatchv1.ExecuteBatchResponse, error) {
	in := wire.NewRequest(encoded)
	defer in.Release()
	resp, err := s.ExecuteBatch(context.Background(), in)
	if err != nil {
		return nil, err
	}
	return decoded(resp)
}

// decoded is a response as its caller gets it.
func decoded(resp any) (*valkeybatchv1.ExecuteBatchResponse, error) {
	data, err := wire.Codec().Marshal(resp)
	if err != nil {
		return nil, err
	}
	defer data.Free()
	out := &valkeybatchv1.ExecuteBatchResponse{}
	return out, proto.Unmarshal(data.Materialize(), out)
}

func TestExecuteBatch(t *testing.T) {
	r := &recorder{}
	s := New(Config{Executor: r})
	req := pipeline(binaryCommand("SET", "\xff\x00", ""), textCommand("GET", "grüß"))
	req.RaiseOnError = true
	req.Options = &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &valkeybatchv1.ClusterBatchOptions{
		Timeout: durationpb.New(time.Second),
		Route: &valkeybatchv1.Route{Kind: &valkeybatchv1.Route_SlotId{
			SlotId: &valkeybatchv1.SlotIdRoute{SlotId: 7, SlotType: valkeybatchv1.SlotType_SLOT_TYPE_REPLICA}}},
		RetryStrategy: &valkeybatchv1.BatchRetryStrategy{RetryServerError: true},
	}}
	got, err := execute(s, req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&valkeybatchv1.ExecuteBatchResponse{Results: []*valkeybatchv1.Value{text("OK"), text("OK")}}, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	wantBatch := executor.Batch{Commands: [][][]byte{
		{[]byte("SET"), []byte("\xff\x00"), {}},
		{[]byte("GET"), []byte("grüß")},
	}}
	if diff := cmp.Diff(wantBatch, r.batch); diff != "" {
		t.Error(diff)
	}
	wantOptions := options.Options{
		Timeout: time.Second, Kind: options.KindCluster, RaiseOnError: true, RetryServerError: true,
		Route: options.Route{Kind: options.RouteSlot, Slot: 7, Replica: true},
	}
	if diff := cmp.Diff(wantOptions, r.opts); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyAtomicBatch(t *testing.T) {
	s := New(Config{Executor: &recorder{}})
	got, err := execute(s, &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{IsAtomic: true}})
	if err != nil || len(got.GetResults()) != 0 || got.GetFailedCount() != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestRefusedBeforeSending checks every refusal that needs no deployment: its code, field and
// reason, and that the executor never hears of it.
func TestRefusedBeforeSending(t *testing.T) {
	timeout := pipeline(textCommand("PING"))
	timeout.Options = &valkeybatchv1.ExecuteBatchRequest_StandaloneOptions{
		StandaloneOptions: &valkeybatchv1.StandaloneBatchOptions{Timeout: &durationpb.Duration{}}}
	mismatch := pipeline(textCommand("PING"))
	mismatch.Options = &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &valkeybatchv1.ClusterBatchOptions{}}
	many := pipeline()
	for range 11 {
		many.Batch.Commands = append(many.Batch.Commands, textCommand("PING"))
	}
	for name, test := range map[string]struct {
		req    *valkeybatchv1.ExecuteBatchRequest
		code   codes.Code
		reason string
		field  string
		says   []string
	}{
		"no batch":       {&valkeybatchv1.ExecuteBatchRequest{}, codes.InvalidArgument, wire.ReasonEmptyPipeline, "batch.commands", nil},
		"empty pipeline": {pipeline(), codes.InvalidArgument, wire.ReasonEmptyPipeline, "batch.commands", nil},
		"empty command": {pipeline(textCommand("PING"), textCommand()), codes.InvalidArgument, wire.ReasonEmptyCommand,
			"batch.commands[1]", nil},
		"both forms": {pipeline(&valkeybatchv1.Command{Args: [][]byte{[]byte("a")}, TextArgs: []string{"a"}}),
			codes.InvalidArgument, wire.ReasonArgumentForms, "batch.commands[0]", nil},
		"empty name": {pipeline(binaryCommand("", "a")), codes.InvalidArgument, wire.ReasonEmptyCommandName,
			"batch.commands[0].args[0]", nil},
		"empty text name": {pipeline(textCommand("", "a")), codes.InvalidArgument, wire.ReasonEmptyCommandName,
			"batch.commands[0].text_args[0]", nil},
		"timeout": {timeout, codes.InvalidArgument, options.ReasonInvalidTimeout, "standalone_options.timeout", []string{"0s"}},
		"wrong deployment": {mismatch, codes.FailedPrecondition, ReasonWrongDeployment, "",
			[]string{"cluster_options", "standalone"}},
		"too many commands": {many, codes.ResourceExhausted, ReasonLimitExceeded, "", []string{"11", "10", "batch.commands"}},
		"too many bytes": {pipeline(textCommand("SET", "k", strings.Repeat("x", 1024))), codes.ResourceExhausted, ReasonLimitExceeded,
			"", []string{"1038", "1024"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			s := New(Config{
				Executor:   r,
				Deployment: func() options.Kind { return options.KindStandalone },
				Limits:     Limits{Commands: 10, RequestBytes: 1024},
			})
			_, err := execute(s, test.req)
			st, _ := status.FromError(err)
			d := detailsOf(t, st)
			if st.Code() != test.code || d.info.GetReason() != test.reason {
				t.Errorf("got %v %s, want %v %s: %s", st.Code(), d.info.GetReason(), test.code, test.reason, st.Message())
			}
			got := ""
			if v := d.bad.GetFieldViolations(); len(v) == 1 {
				got = v[0].GetField()
			}
			if got != test.field {
				t.Errorf("got the field %q, want %q", got, test.field)
			}
			for _, part := range test.says {
				if !strings.Contains(st.Message(), part) {
					t.Errorf("%q does not say %q", st.Message(), part)
				}
			}
			if r.calls != 0 {
				t.Error("the executor was called")
			}
		})
	}
}

func TestAdmission(t *testing.T) {
	a := NewAdmission(2, 100, 0)
	if err := a.Acquire(60); err != nil {
		t.Fatal(err)
	}
	var overload *OverloadError
	if err := a.Acquire(41); !errors.As(err, &overload) || overload.Actual != 101 || overload.Allowed != 100 {
		t.Errorf("bytes: got %v", err)
	}
	if err := a.Acquire(40); err != nil {
		t.Fatal(err)
	}
	if err := a.Acquire(0); !errors.As(err, &overload) || overload.Actual != 3 || overload.Allowed != 2 {
		t.Errorf("number: got %v", err)
	}
	a.Release(60)
	a.Release(40)
	if batches, bytes := a.InFlight(); batches != 0 || bytes != 0 {
		t.Errorf("left over: %d batches, %d bytes", batches, bytes)
	}
}

// TestAdmissionOfSmallBatches: what is full for large batches is not for small ones.
func TestAdmissionOfSmallBatches(t *testing.T) {
	const max = 64 << 20
	a := NewAdmission(1<<20, max, 0)
	if err := a.Acquire(max); err != nil {
		t.Fatal(err)
	}
	var overload *OverloadError
	if err := a.Acquire(smallMessage + 1); !errors.As(err, &overload) || overload.Allowed != max {
		t.Errorf("a large batch: %v", err)
	}
	for range max / 8 / smallMessage {
		if err := a.Acquire(smallMessage); err != nil {
			t.Fatalf("a small batch: %v", err)
		}
	}
	if err := a.Acquire(1); !errors.As(err, &overload) || overload.Allowed != max+max/8 {
		t.Errorf("one small batch too many: %v", err)
	}
}

// TestOverload checks that a batch in flight makes the next one be refused at once, and that
// its place is free again afterwards, failed or not.
func TestOverload(t *testing.T) {
	r := &recorder{block: make(chan struct{}), err: errors.New("x")}
	s := New(Config{Executor: r, Limits: Limits{InFlightBatches: 1}, Logger: slog.New(slog.DiscardHandler)})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = execute(s, pipeline(textCommand("PING")))
	}()
	for batches := int64(0); batches == 0; batches, _ = s.admission.InFlight() {
		time.Sleep(time.Millisecond)
	}
	_, err := execute(s, pipeline(textCommand("PING")))
	st, _ := status.FromError(err)
	if d := detailsOf(t, st); st.Code() != codes.ResourceExhausted || d.retry == nil {
		t.Errorf("got %v", st.Proto())
	}
	close(r.block)
	<-done
	if batches, bytes := s.admission.InFlight(); batches != 0 || bytes != 0 {
		t.Errorf("left over: %d batches, %d bytes", batches, bytes)
	}
}

// TestManyCommands checks the figure that must work by default.
func TestManyCommands(t *testing.T) {
	s := New(Config{Executor: &recorder{}})
	req := pipeline()
	for i := range 100_000 {
		req.Batch.Commands = append(req.Batch.Commands, textCommand("SET", fmt.Sprint(i), "v"))
	}
	got, err := execute(s, req)
	if err != nil || len(got.GetResults()) != 100_000 {
		t.Errorf("%d results, %v", len(got.GetResults()), err)
	}
}
