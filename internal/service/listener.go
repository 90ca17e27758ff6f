package service

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// Behind returns h's ExecuteBatch behind an interceptor, for listeners that are no gRPC server: a
// batch that came by one of them passes what a batch of a gRPC call passes. The method is the
// full name of the contract's method that it came by. A nil interceptor is none.
func Behind(h Handler, interceptor grpc.UnaryServerInterceptor, method string) ExecuteFunc {
	return intercepted(h, interceptor, method)
}

// Refused has a unary call whose request was not received pass an interceptor, so that it is counted
// and logged as others are, and callers who are not known are told that alone. It returns the status
// that the caller is told: why, if the interceptor has no other. A nil interceptor is none.
func Refused(ctx context.Context, h Handler, interceptor grpc.UnaryServerInterceptor, why error) error {
	req := wire.GetRequest()
	defer req.Release()
	return refused(ctx, h, req, interceptor, why)
}

// Refusal returns the status of a call that is refused before its request is known: what
// [Handler.ExecuteBatch] would return for err, one of the typed errors of this package and of
// packages wire and executor.
func Refusal(err error) error {
	f, _ := classify(nil, err)
	return f.status().Err()
}

// StreamRefusal is Refusal for a request on a stream, which ends with it.
func StreamRefusal(err error) error { return streamRefusal(err) }

// StallError says that a caller did not send its request in time. Nothing has been sent.
type StallError struct {
	// What did not arrive.
	What string
	// Allowed is how long it could have taken.
	Allowed time.Duration

	limit string // what details call the limit; empty: a request's
}

// Error implements error.
func (e *StallError) Error() string {
	return fmt.Sprintf("%s did not arrive within %v%s: it was not executed", e.What, e.Allowed, setBy(SettingStreamStall))
}

func (e *StallError) failure() failure {
	return failure{code: codes.ResourceExhausted, reason: ReasonStalled, message: e.Error(),
		metadata: map[string]string{"limit": cmp.Or(e.limit, "request stall"), "allowed": e.Allowed.String(), "setting": SettingStreamStall}}
}
