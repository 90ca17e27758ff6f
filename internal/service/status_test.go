package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// details are a status's details by kind.
type details struct {
	info  *errdetails.ErrorInfo
	bad   *errdetails.BadRequest
	retry *errdetails.RetryInfo
}

func detailsOf(t *testing.T, st *status.Status) details {
	t.Helper()
	var out details
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			out.info = d
		case *errdetails.BadRequest:
			out.bad = d
		case *errdetails.RetryInfo:
			out.retry = d
		default:
			t.Errorf("unexpected detail %T", d)
		}
	}
	if out.info == nil || out.info.GetDomain() != Domain || out.info.GetReason() == "" {
		t.Fatalf("no complete ErrorInfo in %v", st.Proto())
	}
	return out
}

func statusOf(t *testing.T, batch *wire.Batch, err error) *status.Status {
	t.Helper()
	s := New(Config{Logger: slog.New(slog.DiscardHandler)})
	st, ok := status.FromError(s.statusError(context.Background(), batch, err))
	if !ok {
		t.Fatal("no status")
	}
	return st
}

func TestStatus(t *testing.T) {
	wrongType := &executor.CommandError{Code: "WRONGTYPE", Message: "WRONGTYPE no", Outcome: executor.Failed, Node: "a:1"}
	for name, test := range map[string]struct {
		err      error
		code     codes.Code
		reason   string
		field    string
		retry    bool
		metadata map[string]string
		says     []string
	}{
		"request": {
			err:  &wire.RequestError{Field: "batch.commands[1]", Reason: wire.ReasonEmptyCommand, Message: "m"},
			code: codes.InvalidArgument, reason: wire.ReasonEmptyCommand, field: "batch.commands[1]",
		},
		"option": {
			err: &options.InvalidError{Field: "cluster_options.timeout", Reason: options.ReasonInvalidTimeout, Message: "m",
				Metadata: map[string]string{"seconds": "0"}},
			code: codes.InvalidArgument, reason: options.ReasonInvalidTimeout, field: "cluster_options.timeout",
			metadata: map[string]string{"seconds": "0"},
		},
		"executor": {
			err:  &executor.InvalidError{Field: "batch.commands[2].args", Index: 2, Reason: "CROSS_SLOT", Message: "m", Metadata: map[string]string{"a": "b"}},
			code: codes.InvalidArgument, reason: "CROSS_SLOT", field: "batch.commands[2].args",
			metadata: map[string]string{"a": "b", "index": "2"},
		},
		"wrapped": {
			err:  fmt.Errorf("x: %w", &executor.InvalidError{Field: "batch.commands", Index: -1, Reason: "R", Message: "m"}),
			code: codes.InvalidArgument, reason: "R", field: "batch.commands",
		},
		"kind": {
			err:  &options.KindError{Options: options.KindCluster, Deployment: options.KindStandalone},
			code: codes.FailedPrecondition, reason: ReasonWrongDeployment,
			metadata: map[string]string{"options": "cluster", "deployment": "standalone"},
		},
		"limit": {
			err:  &LimitError{Field: "batch", What: "request bytes", Unit: "bytes", Setting: SettingRequestBytes, Actual: 11, Allowed: 10},
			code: codes.ResourceExhausted, reason: ReasonLimitExceeded,
			metadata: map[string]string{"limit": "request bytes", "actual": "11", "allowed": "10", "field": "batch", "setting": "max-request-bytes"},
		},
		"reply limit": {
			err:  &executor.LimitError{What: "reply bytes", Actual: 11, Allowed: 10},
			code: codes.ResourceExhausted, reason: ReasonLimitExceeded,
			metadata: map[string]string{"limit": "reply bytes", "actual": "11", "allowed": "10", "setting": "max-reply-bytes"},
			says:     []string{"max-reply-bytes", "may have taken effect"},
		},
		"reply depth": {
			err:  &executor.LimitError{What: node.LimitReplyNesting, Actual: 33, Allowed: 32},
			code: codes.ResourceExhausted, reason: ReasonLimitExceeded,
			metadata: map[string]string{"limit": "reply nesting", "actual": "33", "allowed": "32", "setting": "max-reply-depth"},
			says:     []string{"max-reply-depth", "may have taken effect"},
		},
		"replies in flight": {
			err:  &executor.LimitError{What: node.LimitRepliesInFlight, Actual: 11, Allowed: 10},
			code: codes.ResourceExhausted, reason: ReasonLimitExceeded,
			metadata: map[string]string{"limit": "reply bytes in flight", "actual": "11", "allowed": "10", "setting": "max-in-flight-reply-bytes"},
			says:     []string{"max-in-flight-reply-bytes", "may have taken effect"},
		},
		"malformed": {
			err:  &wire.RequestError{Reason: wire.ReasonMalformed, Message: "m"},
			code: codes.InvalidArgument, reason: wire.ReasonMalformed,
		},
		"argument": {
			err:  &LimitError{Field: "batch.commands[0].args[1]", What: "argument bytes", Unit: "bytes", Actual: MaxArgumentBytes + 1, Allowed: MaxArgumentBytes},
			code: codes.ResourceExhausted, reason: ReasonLimitExceeded,
			metadata: map[string]string{"limit": "argument bytes", "actual": "536870913", "allowed": "536870912", "field": "batch.commands[0].args[1]"},
		},
		"overload": {
			err:  &OverloadError{What: "batches in flight", Setting: SettingInFlightBatches, Actual: 2, Allowed: 1},
			code: codes.ResourceExhausted, reason: ReasonOverloaded, retry: true,
			metadata: map[string]string{"limit": "batches in flight", "actual": "2", "allowed": "1", "setting": "max-in-flight-batches"},
			says:     []string{"max-in-flight-batches"},
		},
		"raised": {
			err:  &executor.RaisedError{Index: 3, Command: "incr", Err: wrongType, Failed: 2},
			code: codes.FailedPrecondition, reason: ReasonCommandFailed,
			metadata: map[string]string{"index": "3", "command": "incr", "code": "WRONGTYPE", "outcome": "OUTCOME_FAILED", "node": "a:1", "failed_count": "2"},
		},
		"raised, nothing ran": {
			err: &executor.RaisedError{Index: 0, Command: "get", Failed: 1, NothingRan: true,
				Err: &executor.CommandError{Code: executor.CodeConnection, Message: "m", Outcome: executor.NotExecuted}},
			code: codes.Unavailable, reason: ReasonCommandFailed, retry: true,
			metadata: map[string]string{"index": "0", "command": "get", "code": "CONNECTION", "outcome": "OUTCOME_NOT_EXECUTED", "failed_count": "1"},
		},
		"discarded": {
			err:  &executor.DiscardedError{Index: 1, Command: "get", Failed: 1, Err: &executor.CommandError{Code: "ERR", Message: "ERR wrong number of arguments for 'get' command", Outcome: executor.NotExecuted}},
			code: codes.InvalidArgument, reason: ReasonTransaction,
			metadata: map[string]string{"index": "1", "command": "get", "code": "ERR", "outcome": "OUTCOME_NOT_EXECUTED", "failed_count": "1", "transaction": "EXECABORT"},
		},
		"transaction refused": {
			err:  &executor.DiscardedError{Index: -1, Command: "multi", Err: &executor.CommandError{Code: "NOPERM", Message: "NOPERM x", Outcome: executor.NotExecuted}},
			code: codes.PermissionDenied, reason: ReasonTransaction,
			metadata: map[string]string{"command": "multi", "code": "NOPERM", "outcome": "OUTCOME_NOT_EXECUTED", "failed_count": "0", "transaction": "EXECABORT"},
		},
		"deadline": {
			err:  &executor.DeadlineError{Answered: 3, Total: 5, Timeout: time.Second, Cause: context.DeadlineExceeded},
			code: codes.DeadlineExceeded, reason: ReasonDeadlineExceeded,
			metadata: map[string]string{"answered": "3", "total": "5", "timeout": "1s"},
		},
		"cancelled": {
			err:  &executor.DeadlineError{Answered: 0, Total: 5, Timeout: time.Second, Cause: context.Canceled},
			code: codes.Canceled, reason: ReasonCancelled,
			metadata: map[string]string{"answered": "0", "total": "5", "timeout": "1s"},
		},
		"unavailable": {
			err:  &executor.UnavailableError{Cause: errors.New("dial")},
			code: codes.Unavailable, reason: ReasonDeploymentUnusable, retry: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := statusOf(t, nil, test.err)
			d := detailsOf(t, st)
			if st.Code() != test.code || d.info.GetReason() != test.reason {
				t.Errorf("got %v %s, want %v %s", st.Code(), d.info.GetReason(), test.code, test.reason)
			}
			if diff := cmp.Diff(test.metadata, d.info.GetMetadata()); diff != "" {
				t.Error(diff)
			}
			if got := d.bad.GetFieldViolations(); (test.field != "") != (len(got) == 1) || test.field != "" && got[0].GetField() != test.field {
				t.Errorf("got %v, want the field %q", got, test.field)
			}
			if test.field != "" && !strings.HasPrefix(st.Message(), test.field+": ") {
				t.Errorf("%q does not begin with the field", st.Message())
			}
			for _, part := range test.says {
				if !strings.Contains(st.Message(), part) {
					t.Errorf("%q does not say %q", st.Message(), part)
				}
			}
			if (d.retry != nil) != test.retry {
				t.Errorf("RetryInfo %v, want %v", d.retry, test.retry)
			}
		})
	}
}

// TestDefectsStayInside checks that neither a panic's text nor an unknown error's is shown.
func TestDefectsStayInside(t *testing.T) {
	for _, err := range []error{errors.New("secret"), &executor.PanicError{Value: "secret", Stack: []byte("secret")}} {
		var log strings.Builder
		s := New(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		st, _ := status.FromError(s.statusError(context.Background(), nil, err))
		if st.Code() != codes.Internal || strings.Contains(fmt.Sprint(st.Proto()), "secret") {
			t.Errorf("%v", st.Proto())
		}
		if !strings.Contains(log.String(), "secret") {
			t.Errorf("the log does not tell: %s", log.String())
		}
		if detailsOf(t, st).info.GetReason() != ReasonInternal {
			t.Error("wrong reason")
		}
	}
}

func TestFieldOfTextArguments(t *testing.T) {
	encoded, err := proto.Marshal(pipeline(binaryCommand("GET"), textCommand("GET")))
	if err != nil {
		t.Fatal(err)
	}
	req := wire.NewRequest(encoded)
	defer req.Release()
	batch, err := req.Decode()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		field string
		index int
		want  string
	}{
		{"batch.commands[0].args", 0, "batch.commands[0].args"},
		{"batch.commands[1].args", 1, "batch.commands[1].text_args"},
		{"batch.commands[1].args[2]", 1, "batch.commands[1].text_args[2]"},
		{"batch.commands[1]", 1, "batch.commands[1]"},
		{"cluster_options.route", -1, "cluster_options.route"},
		{"batch.commands[9].args", 9, "batch.commands[9].args"},
	} {
		if got := fieldOf(batch, &executor.InvalidError{Field: test.field, Index: test.index}); got != test.want {
			t.Errorf("%s: got %s, want %s", test.field, got, test.want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		code, message string
		want, idle    codes.Code // idle: when certainly nothing ran
	}{
		{"WRONGTYPE", "WRONGTYPE x", codes.FailedPrecondition, codes.FailedPrecondition},
		{"ERR", "ERR value is not an integer or out of range", codes.FailedPrecondition, codes.FailedPrecondition},
		{"BUSYGROUP", "BUSYGROUP x", codes.FailedPrecondition, codes.FailedPrecondition},
		{"MADEUP", "MADEUP x", codes.FailedPrecondition, codes.FailedPrecondition},
		{"ERR", "ERR syntax error", codes.InvalidArgument, codes.InvalidArgument},
		{"ERR", "ERR wrong number of arguments for 'get' command", codes.InvalidArgument, codes.InvalidArgument},
		{"ERR", "ERR unknown command 'x', with args beginning with: ", codes.InvalidArgument, codes.InvalidArgument},
		{"ERR", "ERR unknown subcommand 'x'. Try CONFIG HELP.", codes.InvalidArgument, codes.InvalidArgument},
		{"CROSSSLOT", "CROSSSLOT x", codes.InvalidArgument, codes.InvalidArgument},
		{"NOPERM", "NOPERM x", codes.PermissionDenied, codes.PermissionDenied},
		{"NOAUTH", "NOAUTH x", codes.PermissionDenied, codes.PermissionDenied},
		{"OOM", "OOM x", codes.ResourceExhausted, codes.ResourceExhausted},
		{"NOSCRIPT", "NOSCRIPT x", codes.NotFound, codes.NotFound},
		{"TRYAGAIN", "TRYAGAIN x", codes.Aborted, codes.Unavailable},
		{"CLUSTERDOWN", "CLUSTERDOWN x", codes.Aborted, codes.Unavailable},
		{"LOADING", "LOADING x", codes.Aborted, codes.Unavailable},
		{"MASTERDOWN", "MASTERDOWN x", codes.Aborted, codes.Unavailable},
		{"READONLY", "READONLY x", codes.Aborted, codes.Unavailable},
		{"CONNECTION", "x", codes.Aborted, codes.Unavailable},
	} {
		err := &executor.CommandError{Code: test.code, Message: test.message}
		if got := codeOf(err, false); got != test.want {
			t.Errorf("%s: got %v, want %v", test.message, got, test.want)
		}
		if got := codeOf(err, true); got != test.idle {
			t.Errorf("%s, nothing ran: got %v, want %v", test.message, got, test.idle)
		}
	}
}

// TestStatusIsSmall checks that no error text of a server can outgrow what peers take as
// trailers: 8 KiB for the message, percent-encoded at worst, and the details in base64.
func TestStatusIsSmall(t *testing.T) {
	for _, letter := range []string{"x", "\xff", "ü", "\x00"} {
		long := strings.Repeat(letter, 100_000)
		for _, err := range []error{
			&executor.RaisedError{Command: long, Err: &executor.CommandError{Code: long, Message: long, Node: long}},
			&executor.InvalidError{Field: long, Index: 1, Reason: "R", Message: long,
				Metadata: map[string]string{"a": long, "b": long, "c": long, "d": long, "e": long, "f": long, "g": long, "h": long}},
		} {
			st := statusOf(t, nil, err)
			size := 3*len(st.Message()) + proto.Size(st.Proto())*4/3
			if size > 8<<10 {
				t.Errorf("%q: %d bytes", letter, size)
			}
			detailsOf(t, st)
		}
	}
}

func TestBounded(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "..."},
		{"abcdef", 5, "ab..."},
		{"aüüü", 6, "aü..."},
		{"a\xffb", 9, "a?b"},
	} {
		if got := bounded(test.in, test.n); got != test.want {
			t.Errorf("%q to %d: got %q, want %q", test.in, test.n, got, test.want)
		}
	}
}
