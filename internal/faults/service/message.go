package service

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

func (s *Service) request(b subject.Batch) *pb.ExecuteBatchRequest {
	r := &pb.ExecuteBatchRequest{Batch: &pb.Batch{IsAtomic: b.Atomic}}
	for _, words := range b.Commands {
		c := &pb.Command{Args: make([][]byte, len(words))}
		for i, w := range words {
			c.Args[i] = []byte(w)
		}
		r.Batch.Commands = append(r.Batch.Commands, c)
	}
	var retry *pb.BatchRetryStrategy
	if b.RetryServer || b.RetryConnection {
		retry = &pb.BatchRetryStrategy{RetryServerError: b.RetryServer, RetryConnectionError: b.RetryConnection}
	}
	timeout := durationpb.New(b.Timeout)
	if s.kind {
		r.Options = &pb.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &pb.ClusterBatchOptions{Timeout: timeout, RetryStrategy: retry}}
	} else {
		r.Options = &pb.ExecuteBatchRequest_StandaloneOptions{StandaloneOptions: &pb.StandaloneBatchOptions{Timeout: timeout, RetryStrategy: retry}}
	}
	return r
}

func results(r *pb.ExecuteBatchResponse) []subject.Result {
	out := make([]subject.Result, len(r.GetResults()))
	for i, v := range r.GetResults() {
		if e := v.GetErrorValue(); e != nil {
			out[i].Err = &subject.Error{Code: e.GetCode(), Message: e.GetMessage(), Node: e.GetNode(), Outcome: subject.Outcome(e.GetOutcome())}
			continue
		}
		out[i].Reply = reply(v)
	}
	return out
}

// reply makes a reply of a value of the kinds that the workload's commands have.
func reply(v *pb.Value) any {
	switch k := v.GetKind().(type) {
	case *pb.Value_NullValue:
		return nil
	case *pb.Value_StringValue:
		return k.StringValue
	case *pb.Value_BytesValue:
		return string(k.BytesValue)
	case *pb.Value_IntegerValue:
		return k.IntegerValue
	case *pb.Value_ArrayValue:
		all := make([]any, len(k.ArrayValue.GetElements()))
		for i, e := range k.ArrayValue.GetElements() {
			all[i] = reply(e)
		}
		return all
	}
	return v // of a kind that no command of the workload is answered with
}

// failureOf reads a status as the contract says it is to be read: without an ErrorInfo the
// batch may have run, whatever the code.
func failureOf(err error) *subject.Failure { return failure(status.Convert(err)) }

func failure(s *status.Status) *subject.Failure {
	f := &subject.Failure{Status: s.Code().String(), Message: s.Message(), Outcome: subject.Unknown}
	own := false
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			own = true
			f.Status += " " + info.GetReason()
		}
	}
	if !own {
		return f
	}
	switch s.Code() {
	case codes.DeadlineExceeded:
		f.Late = true
	case codes.Internal, codes.Canceled:
	default:
		// The workload raises no errors: what is left is what was refused, and transactions
		// that were discarded.
		f.Outcome = subject.NotExecuted
	}
	return f
}
