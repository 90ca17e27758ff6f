package service

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// Domain is the domain of every google.rpc.ErrorInfo of this service.
const Domain = "valkeybatch"

// The reasons of errors that are neither a [RequestError] nor one of options or executor that
// bring their own.
const (
	ReasonLimitExceeded      = "LIMIT_EXCEEDED"
	ReasonOverloaded         = "OVERLOADED"
	ReasonWrongDeployment    = "WRONG_DEPLOYMENT"
	ReasonCommandFailed      = "COMMAND_FAILED"
	ReasonTransaction        = "TRANSACTION_DISCARDED"
	ReasonDeadlineExceeded   = "DEADLINE_EXCEEDED"
	ReasonCancelled          = "CANCELLED"
	ReasonDeploymentUnusable = "DEPLOYMENT_UNAVAILABLE"
	ReasonUnauthenticated    = "UNAUTHENTICATED"
	ReasonIdentityDenied     = "IDENTITY_DENIED"
	ReasonIdentityLimit      = "IDENTITY_LIMIT"
	ReasonDraining           = "DRAINING"
	ReasonStalled            = "STREAM_STALLED"
	ReasonInternal           = "INTERNAL"
)

// Reasons returns the reasons that are this package's.
func Reasons() []string {
	return []string{
		ReasonLimitExceeded, ReasonOverloaded, ReasonWrongDeployment, ReasonCommandFailed, ReasonTransaction, ReasonDeadlineExceeded,
		ReasonCancelled, ReasonDeploymentUnusable, ReasonUnauthenticated, ReasonIdentityDenied, ReasonIdentityLimit, ReasonDraining,
		ReasonStalled, ReasonInternal,
	}
}

// When to come back, as RetryInfo tells callers: soon after an overload, which ends with the
// batches in flight; later when the deployment is gone.
const (
	retryOverload    = 100 * time.Millisecond
	retryUnavailable = time.Second
)

// failure is a status before it is built.
type failure struct {
	code     codes.Code
	message  string
	reason   string
	metadata map[string]string
	// field, if not empty, gives the status a BadRequest for it, with the message as description;
	// the status's own message then begins with the field.
	field string
	// retry, if above zero, gives the status a RetryInfo.
	retry time.Duration
}

// statusError translates an error of a batch into the status that callers see. What
// they must not see (defects and their stacks) is logged instead.
func (s *Service) statusError(ctx context.Context, batch *wire.Batch, err error) error {
	f, known := classify(batch, err)
	if !known {
		attrs := []slog.Attr{slog.String("error", err.Error())}
		var panicked *executor.PanicError
		if errors.As(err, &panicked) {
			attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
		}
		s.logger.LogAttrs(ctx, slog.LevelError, "a batch met a defect", attrs...)
	}
	return f.status().Err()
}

// classify finds the failure that an error means. An error that is of no known type is a
// defect: its text stays inside, and known is false.
func classify(batch *wire.Batch, err error) (f failure, known bool) {
	switch e := asType(err).(type) {
	case *wire.RequestError:
		return failure{code: codes.InvalidArgument, message: e.Message, reason: e.Reason, field: e.Field}, true
	case *options.InvalidError:
		return failure{code: codes.InvalidArgument, message: e.Message, reason: e.Reason, metadata: e.Metadata, field: e.Field}, true
	case *executor.InvalidError:
		field := fieldOf(batch, e)
		return failure{code: codes.InvalidArgument, message: e.Message, reason: e.Reason,
			metadata: withIndex(e.Metadata, e.Index), field: field}, true
	case *options.KindError:
		return failure{code: codes.FailedPrecondition, message: e.Error(), reason: ReasonWrongDeployment,
			metadata: map[string]string{"options": e.Options.String(), "deployment": e.Deployment.String()}}, true
	case *LimitError:
		metadata := figures(e.What, e.Setting, e.Actual, e.Allowed)
		metadata["field"] = e.Field
		return failure{code: codes.ResourceExhausted, message: e.Error(), reason: ReasonLimitExceeded, metadata: metadata}, true
	case *executor.LimitError:
		setting := replySettings[e.What]
		return failure{code: codes.ResourceExhausted, reason: ReasonLimitExceeded,
			message:  e.Error() + setBy(setting) + "; the batch's commands may have taken effect",
			metadata: figures(e.What, setting, e.Actual, e.Allowed)}, true
	case *OverloadError:
		return failure{code: codes.ResourceExhausted, message: e.Error(), reason: ReasonOverloaded,
			metadata: figures(e.What, e.Setting, e.Actual, e.Allowed), retry: cmp.Or(e.Retry, retryOverload)}, true
	case *StallError:
		return e.failure(), true
	case *executor.OverloadError:
		return failure{code: codes.ResourceExhausted, reason: ReasonOverloaded, retry: retryOverload,
			message:  "the server is at its load: " + e.Error() + setBy(SettingBlockingBatches),
			metadata: figures("batches with blocking commands in flight", SettingBlockingBatches, e.Actual, e.Allowed)}, true
	case *auth.UnknownError:
		return failure{code: codes.Unauthenticated, message: e.Error(), reason: ReasonUnauthenticated,
			metadata: map[string]string{"cause": e.Cause}}, true
	case *auth.LimitError:
		metadata := figures(e.What, e.Setting, e.Actual, e.Allowed)
		metadata["identity"] = e.Identity
		return failure{code: codes.ResourceExhausted, message: e.Error(), reason: ReasonIdentityLimit,
			metadata: metadata, retry: e.Retry}, true
	case *deniedError:
		return failure{code: codes.PermissionDenied, message: e.Error(), reason: ReasonIdentityDenied,
			metadata: map[string]string{"identity": e.identity, "index": strconv.Itoa(e.Index), "command": e.Command, "rule": e.Rule}}, true
	case *executor.RaisedError:
		return raised(e), true
	case *executor.DiscardedError:
		return discarded(e), true
	case *executor.DeadlineError:
		return deadline(e), true
	case *executor.UnavailableError:
		return failure{code: codes.Unavailable, message: e.Error(), reason: ReasonDeploymentUnusable, retry: retryUnavailable}, true
	case *executor.PanicError:
		return internalFailure(), false
	}
	return internalFailure(), false
}

// asType finds the first error in err's chain that classify knows.
func asType(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e.(type) {
		case *wire.RequestError, *LimitError, *OverloadError, *StallError, *auth.UnknownError, *auth.LimitError, *deniedError,
			*options.InvalidError, *options.KindError,
			*executor.InvalidError, *executor.LimitError, *executor.OverloadError, *executor.RaisedError,
			*executor.DiscardedError, *executor.DeadlineError, *executor.UnavailableError, *executor.PanicError:
			return e
		}
	}
	return err
}

func internalFailure() failure {
	return failure{code: codes.Internal, message: "internal error", reason: ReasonInternal}
}

// raised translates the error of a batch with raise_on_error.
func raised(e *executor.RaisedError) failure {
	f := failure{
		code:     codeOf(e.Err, e.NothingRan),
		message:  e.Error(),
		reason:   ReasonCommandFailed,
		metadata: commandMetadata(e.Index, e.Command, e.Err, e.Failed),
	}
	if f.code == codes.Unavailable {
		f.retry = retryUnavailable
	}
	return f
}

// discarded translates a transaction's refusal: as its first queue error, and nothing ran.
func discarded(e *executor.DiscardedError) failure {
	f := failure{
		code:     codeOf(e.Err, true),
		message:  e.Error(),
		reason:   ReasonTransaction,
		metadata: commandMetadata(e.Index, e.Command, e.Err, e.Failed),
	}
	f.metadata["transaction"] = "EXECABORT"
	if f.code == codes.Unavailable {
		f.retry = retryUnavailable
	}
	return f
}

// deadline translates the end of a batch's time, or of its caller's interest.
func deadline(e *executor.DeadlineError) failure {
	f := failure{
		code:    codes.DeadlineExceeded,
		message: e.Error(),
		reason:  ReasonDeadlineExceeded,
		metadata: map[string]string{
			"answered": strconv.Itoa(e.Answered),
			"total":    strconv.Itoa(e.Total),
			"timeout":  e.Timeout.String(),
		},
	}
	if errors.Is(e.Cause, context.Canceled) {
		f.code, f.reason = codes.Canceled, ReasonCancelled
	}
	return f
}

// figures describe a limit that was met; the setting, where there is one, is the server's.
func figures(what, setting string, actual, allowed int64) map[string]string {
	metadata := map[string]string{
		"limit":   what,
		"actual":  strconv.FormatInt(actual, 10),
		"allowed": strconv.FormatInt(allowed, 10),
	}
	if setting != "" {
		metadata["setting"] = setting
	}
	return metadata
}

// status builds the status, every part of it cut to a bounded size: a status travels in
// trailers, which peers cap at as little as 8 KiB, and a larger one fails the whole stream.
func (f failure) status() *status.Status {
	message := f.message
	if f.field != "" {
		message = f.field + ": " + message
	}
	st := status.New(f.code, bounded(message, maxMessage))
	details := []protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: f.reason, Domain: Domain, Metadata: boundedMetadata(f.metadata)},
	}
	if f.field != "" {
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{
			Field:       bounded(f.field, maxMetadataValue),
			Description: bounded(f.message, maxDescription),
			Reason:      f.reason,
		}}})
	}
	if f.retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.retry)})
	}
	// Details are refused for OK statuses only, which no failure is.
	if with, err := st.WithDetails(details...); err == nil {
		return with
	}
	return st
}

// deniedError is what a command is denied for, and to whom.
type deniedError struct {
	*executor.DeniedError
	identity string
}

// Unauthenticated is the status of a call of which it is not known who makes it.
func Unauthenticated(err *auth.UnknownError) error {
	f, _ := classify(nil, err)
	return f.status().Err()
}

// Internal is the status of a defect: it says that something went wrong and nothing more.
func Internal() error { return internalFailure().status().Err() }
