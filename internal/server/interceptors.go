package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"

	"github.com/valkeybatch/valkeybatch/internal/service"
)

// interceptors are all that is done for a call around its method, whichever listener it came by:
// the gRPC server's calls pass them, and so do those over HTTP.
type interceptors struct {
	// batch is what every batch passes, on a call of its own or on a stream, and other unary calls.
	batch grpc.UnaryServerInterceptor
	// stream is what every stream passes.
	stream grpc.StreamServerInterceptor
}

func newInterceptors(logger *slog.Logger) interceptors {
	return interceptors{
		batch: newInterceptor(logger),
		// Of streams, health watches and reflection need nothing but recovery; each batch of a
		// StreamBatches passes the interceptors of unary calls.
		stream: recovery.StreamServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(logger))),
	}
}

// newInterceptor returns the interceptors that every batch passes, on a call of its own or on a
// stream.
func newInterceptor(logger *slog.Logger) grpc.UnaryServerInterceptor {
	return chain(
		// Recovery is outermost: a panic in any other interceptor must not end the process either.
		recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(logger))),
		// Logging is close to the method and so times it alone.
		callLog(logger),
		// Admission has no place here but is the method's first act after measuring the request:
		// what a call weighs is known only there.
	)
}

// chain makes one interceptor of several, the first outermost.
func chain(first grpc.UnaryServerInterceptor, others ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if len(others) == 0 {
		return first
	}
	inner := chain(others[0], others[1:]...)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return first(ctx, req, info, func(ctx context.Context, req any) (any, error) { return inner(ctx, req, info, handler) })
	}
}

// recovered logs a panic with its stack, of which callers see nothing.
func recovered(logger *slog.Logger) recovery.RecoveryHandlerFuncContext {
	return func(ctx context.Context, p any) error {
		logger.ErrorContext(ctx, "a call met a defect", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		return service.Internal()
	}
}
