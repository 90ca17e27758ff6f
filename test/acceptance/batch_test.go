package acceptance

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// cmd makes a command in the binary form.
func cmd(words ...string) *valkeybatchv1.Command {
	c := &valkeybatchv1.Command{}
	for _, w := range words {
		c.Args = append(c.Args, []byte(w))
	}
	return c
}

// text makes a command in the form for people.
func text(words ...string) *valkeybatchv1.Command {
	return &valkeybatchv1.Command{TextArgs: words}
}

// request is a batch on its way to being sent; its methods add options.
type request struct {
	*valkeybatchv1.ExecuteBatchRequest
}

// pipeline makes a request of a pipeline.
func pipeline(commands ...*valkeybatchv1.Command) request {
	return request{&valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{Commands: commands}}}
}

// atomicBatch makes a request of an atomic batch.
func atomicBatch(commands ...*valkeybatchv1.Command) request {
	r := pipeline(commands...)
	r.Batch.IsAtomic = true
	return r
}

// raise sets raise_on_error.
func (r request) raise() request {
	r.RaiseOnError = true
	return r
}

// cluster returns the cluster options, making them.
func (r request) cluster() *valkeybatchv1.ClusterBatchOptions {
	if r.GetClusterOptions() == nil {
		r.Options = &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &valkeybatchv1.ClusterBatchOptions{}}
	}
	return r.GetClusterOptions()
}

// standalone returns the standalone options, making them.
func (r request) standalone() *valkeybatchv1.StandaloneBatchOptions {
	if r.GetStandaloneOptions() == nil {
		r.Options = &valkeybatchv1.ExecuteBatchRequest_StandaloneOptions{StandaloneOptions: &valkeybatchv1.StandaloneBatchOptions{}}
	}
	return r.GetStandaloneOptions()
}

// route sends the batch to one node.
func (r request) route(route *valkeybatchv1.Route) request {
	r.cluster().Route = route
	return r
}

// within sets the batch timeout: of cluster options, or of standalone ones.
func (r request) within(isCluster bool, d time.Duration) request {
	if isCluster {
		r.cluster().Timeout = durationpb.New(d)
	} else {
		r.standalone().Timeout = durationpb.New(d)
	}
	return r
}

// retry sets the retry strategy: of cluster options, or of standalone ones.
func (r request) retry(isCluster, serverError, connectionError bool) request {
	strategy := &valkeybatchv1.BatchRetryStrategy{RetryServerError: serverError, RetryConnectionError: connectionError}
	if isCluster {
		r.cluster().RetryStrategy = strategy
	} else {
		r.standalone().RetryStrategy = strategy
	}
	return r
}

// Routes of every kind.

func slotRoute(slot uint16, kind valkeybatchv1.SlotType) *valkeybatchv1.Route {
	return &valkeybatchv1.Route{Kind: &valkeybatchv1.Route_SlotId{SlotId: &valkeybatchv1.SlotIdRoute{SlotId: uint32(slot), SlotType: kind}}}
}

func keyRoute(key string, kind valkeybatchv1.SlotType) *valkeybatchv1.Route {
	return &valkeybatchv1.Route{Kind: &valkeybatchv1.Route_SlotKey{SlotKey: &valkeybatchv1.SlotKeyRoute{TextKey: key, SlotType: kind}}}
}

func addressRoute(host string, port int) *valkeybatchv1.Route {
	return &valkeybatchv1.Route{Kind: &valkeybatchv1.Route_ByAddress{ByAddress: &valkeybatchv1.ByAddressRoute{Host: host, Port: uint32(port)}}}
}

func randomRoute() *valkeybatchv1.Route {
	return &valkeybatchv1.Route{Kind: &valkeybatchv1.Route_Random{Random: &valkeybatchv1.RandomRoute{}}}
}

const (
	primary = valkeybatchv1.SlotType_SLOT_TYPE_PRIMARY
	replica = valkeybatchv1.SlotType_SLOT_TYPE_REPLICA
)

// send sends a request and returns what the service answers.
func (s *service) send(r request) (*valkeybatchv1.ExecuteBatchResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.Client.ExecuteBatch(ctx, r.ExecuteBatchRequest)
}

// must sends a request that has to be answered with results, as many as there are commands,
// and with a true failed_count.
func (s *service) must(t testing.TB, r request) []*valkeybatchv1.Value {
	t.Helper()
	resp, err := s.send(r)
	if err != nil {
		t.Fatalf("ExecuteBatch: %v", describe(err))
	}
	if got, want := len(resp.GetResults()), len(r.GetBatch().GetCommands()); got != want {
		t.Fatalf("%d results for %d commands", got, want)
	}
	failed := 0
	for _, v := range resp.GetResults() {
		if v.GetErrorValue() != nil {
			failed++
		}
	}
	if int(resp.GetFailedCount()) != failed {
		t.Fatalf("failed_count is %d, there are %d errors", resp.GetFailedCount(), failed)
	}
	return resp.GetResults()
}

// want sends a request and compares the results, rendered, with what they should be.
func (s *service) want(t testing.TB, r request, want ...string) {
	t.Helper()
	got := renderAll(s.must(t, r))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("results of %s (-want +got):\n%s", r.GetBatch(), diff)
	}
}

// failure is a call's status with its details.
type failure struct {
	code     codes.Code
	message  string
	reason   string
	metadata map[string]string
	fields   []string
	retry    bool
}

// fail sends a request that has to fail with a status. Every status has an ErrorInfo.
func (s *service) fail(t testing.TB, r request, want codes.Code) failure {
	t.Helper()
	resp, err := s.send(r)
	if err == nil {
		t.Fatalf("ExecuteBatch answered %v, want status %v", renderAll(resp.GetResults()), want)
	}
	f := failureOf(err)
	if f.code != want {
		t.Fatalf("ExecuteBatch: %v, want status %v", describe(err), want)
	}
	if f.reason == "" {
		t.Fatalf("the status has no ErrorInfo: %v", describe(err))
	}
	return f
}

// failureOf takes a status error apart.
func failureOf(err error) failure {
	st := status.Convert(err)
	f := failure{code: st.Code(), message: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == "valkeybatch" {
				f.reason, f.metadata = d.GetReason(), d.GetMetadata()
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				f.fields = append(f.fields, v.GetField())
			}
		case *errdetails.RetryInfo:
			f.retry = true
		}
	}
	return f
}

// describe prints a status with its details.
func describe(err error) string {
	st := status.Convert(err)
	return st.Code().String() + ": " + st.Message() + " " + cmp.Diff(nil, st.Proto().GetDetails())
}
