package isolation

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

type (
	command  = valkeybatchv1.Command
	request  = valkeybatchv1.ExecuteBatchRequest
	response = valkeybatchv1.ExecuteBatchResponse
)

// cmd makes a command in the binary form, text in the form for people.
func cmd(words ...string) *command {
	c := &command{}
	for _, w := range words {
		c.Args = append(c.Args, []byte(w))
	}
	return c
}

func text(words ...string) *command { return &command{TextArgs: words} }

func pipeline(commands ...*command) *request {
	return &request{Batch: &valkeybatchv1.Batch{Commands: commands}}
}

func atomicBatch(commands ...*command) *request {
	r := pipeline(commands...)
	r.Batch.IsAtomic = true
	return r
}

// within sets a request's timeout, and where it may have one a retry of server errors.
func within(isCluster bool, r *request, d time.Duration, retry bool) *request {
	var strategy *valkeybatchv1.BatchRetryStrategy
	if retry && !r.GetBatch().GetIsAtomic() {
		strategy = &valkeybatchv1.BatchRetryStrategy{RetryServerError: true}
	}
	if isCluster {
		r.Options = &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{
			ClusterOptions: &valkeybatchv1.ClusterBatchOptions{Timeout: durationpb.New(d), RetryStrategy: strategy}}
	} else {
		r.Options = &valkeybatchv1.ExecuteBatchRequest_StandaloneOptions{
			StandaloneOptions: &valkeybatchv1.StandaloneBatchOptions{Timeout: durationpb.New(d), RetryStrategy: strategy}}
	}
	return r
}

// refusal is what a status says to programs.
type refusal struct {
	code     codes.Code
	message  string
	reason   string
	metadata map[string]string
	retry    bool // RetryInfo
}

func refusalOf(err error) refusal {
	st := status.Convert(err)
	r := refusal{code: st.Code(), message: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			r.reason, r.metadata = d.GetReason(), d.GetMetadata()
		case *errdetails.RetryInfo:
			r.retry = true
		}
	}
	return r
}

func (r refusal) String() string {
	return fmt.Sprintf("%v %s %q %v", r.code, r.reason, r.message, r.metadata)
}

// errorIn returns a streamed answer's status as an error.
func errorIn(answer *valkeybatchv1.StreamBatchesResponse) error {
	encoded, err := proto.Marshal(answer.GetError())
	if err != nil {
		return err
	}
	return decodeStatus(encoded)
}

// decodeStatus returns an encoded google.rpc.Status as an error.
func decodeStatus(encoded []byte) error {
	st := &rpcstatus.Status{}
	if err := proto.Unmarshal(encoded, st); err != nil {
		return err
	}
	return status.FromProto(st).Err()
}

// answered checks that a batch was answered: with a result for each of its commands, or with a
// status that says why not, and no defect.
func answered(r *request, resp *response, err error) error {
	if err != nil {
		switch f := refusalOf(err); {
		case f.reason == "":
			return fmt.Errorf("a status without an ErrorInfo: %v", f)
		case f.code == codes.Internal || f.code == codes.Unknown:
			return fmt.Errorf("a defect: %v", f)
		}
		return nil
	}
	if got, want := len(resp.GetResults()), len(r.GetBatch().GetCommands()); got != want {
		return fmt.Errorf("%d results for %d commands", got, want)
	}
	failed := 0
	for i, v := range resp.GetResults() {
		if v.GetKind() == nil {
			return fmt.Errorf("result %d is none", i)
		}
		if v.GetErrorValue() != nil {
			failed++
		}
	}
	if int(resp.GetFailedCount()) != failed {
		return fmt.Errorf("failed_count is %d of %d errors", resp.GetFailedCount(), failed)
	}
	return nil
}
