package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"

	"github.com/valkeybatch/valkeybatch/internal/service"
)

// interceptors are all that is done for a call around its method, whichever listener it came by:
// the gRPC server's calls pass them, and so do those over HTTP.
type interceptors struct {
	// counting counts calls of all services on the gRPC server; nil: nothing does.
	counting grpc.UnaryServerInterceptor
	// batch is what every batch passes, on a call of its own or on a stream, and other unary calls.
	batch grpc.UnaryServerInterceptor
	// stream is what every stream passes, and counted those of all services on the gRPC server before it.
	stream  grpc.StreamServerInterceptor
	counted []grpc.StreamServerInterceptor
}

func newInterceptors(logger *slog.Logger, g *gate, instruments *instruments) interceptors {
	counting, counted := instruments.interceptors()
	var known grpc.UnaryServerInterceptor
	var let grpc.StreamServerInterceptor
	if g != nil {
		known, let = g.unary, g.stream
	}
	return interceptors{
		counting: counting,
		batch: chain(
			// Outermost, so that what is counted and timed is what callers are told.
			instruments.batch(),
			// Recovery comes before all others: a panic in any other interceptor must not end the process either.
			recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(logger))),
			// Who calls is found out before anything is done for them, and for the log to say.
			known,
			// Logging is close to the method and so times it alone.
			callLog(logger),
			// Admission has no place here but is the method's first act after measuring the request:
			// what a call weighs is known only there.
		),
		// Of streams, health watches and reflection need nothing but recovery and the gate; each
		// batch of a StreamBatches passes the interceptors of unary calls.
		stream: chainStreams(
			instruments.stream(),
			recovery.StreamServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(logger))),
			let,
		),
		counted: counted,
	}
}

// chain makes one interceptor of several, the first outermost. Those that are nil are left out.
func chain(interceptors ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	var out grpc.UnaryServerInterceptor
	for _, outer := range slices.Backward(interceptors) {
		switch inner := out; {
		case outer == nil:
		case inner == nil:
			out = outer
		default:
			out = func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				return outer(ctx, req, info, func(ctx context.Context, req any) (any, error) { return inner(ctx, req, info, handler) })
			}
		}
	}
	return out
}

// chainStreams is chain for streams.
func chainStreams(interceptors ...grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	var out grpc.StreamServerInterceptor
	for _, outer := range slices.Backward(interceptors) {
		switch inner := out; {
		case outer == nil:
		case inner == nil:
			out = outer
		default:
			out = func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
				return outer(srv, s, info, func(srv any, s grpc.ServerStream) error { return inner(srv, s, info, handler) })
			}
		}
	}
	return out
}

// recovered logs a panic with its stack, of which callers see nothing.
func recovered(logger *slog.Logger) recovery.RecoveryHandlerFuncContext {
	return func(ctx context.Context, p any) error {
		logger.ErrorContext(ctx, "a call met a defect", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		return service.Internal()
	}
}
