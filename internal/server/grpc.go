package server

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"

	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

const (
	// recvSlack is how much larger than the largest batch a message may be before gRPC itself
	// refuses it: within the slack callers get the service's error, with both figures.
	recvSlack = 1 << 20
	// streamSlack is how many more calls than batches in flight one connection may have open:
	// within the slack callers are refused with a status, beyond it their client makes them wait.
	streamSlack = 64
	// callWorkers is how many goroutines are kept for calls, more of which have one of their own:
	// a new goroutine has to grow its stack, which costs a small batch a tenth of its time.
	callWorkers = 64
	// streamWindow and connWindow are how much of requests a caller may send without a word from
	// the server, on one call and on one connection. gRPC's own choice begins with 64 KiB and
	// finds out by pings what a connection bears; large batches then wait for it again and again.
	// What is received and not taken is bounded by the first: that much for each open call.
	streamWindow = 1 << 20
	connWindow   = 4 << 20
	// keepaliveMinTime is how often clients may ping. gRPC's own default of 5 minutes cuts off
	// clients with customary settings.
	keepaliveMinTime = 5 * time.Second
	// keepaliveTime and keepaliveTimeout find out dead peers, whose calls would otherwise stay
	// in flight until their timeout.
	keepaliveTime    = 60 * time.Second
	keepaliveTimeout = 20 * time.Second
)

// newGRPC returns a gRPC server without services. Every unary call passes batch.
func newGRPC(cfg *config.Config, logger *slog.Logger, batch grpc.UnaryServerInterceptor, instruments *instruments) *grpc.Server {
	unary, streams := instruments.interceptors()
	return grpc.NewServer(
		grpc.ChainStreamInterceptor(streams...),
		// Batches are handed over as bytes: they are measured and admitted before they are decoded.
		grpc.ForceServerCodecV2(wire.Codec()),
		experimental.BufferPool(newFramePool()),
		grpc.NumStreamWorkers(callWorkers),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.MaxRecvMsgSize(int(min(int64(cfg.Limits.MaxRequestBytes)+recvSlack, math.MaxInt32))),
		grpc.MaxConcurrentStreams(uint32(cfg.Limits.MaxInFlightBatches+streamSlack)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinTime, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		// Stop returns when the handlers have: what they use is closed after it.
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(chain(unary, batch)),
		grpc.ChainStreamInterceptor(
			// Of streams, health watches and reflection need nothing but recovery; each batch of a
			// StreamBatches passes the interceptors of unary calls.
			recovery.StreamServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(logger))),
		),
	)
}

// newInterceptor returns the interceptors that every batch passes, on a call of its own or on a
// stream.
func newInterceptor(logger *slog.Logger, instruments *instruments) grpc.UnaryServerInterceptor {
	return chain(
		// Outermost, so that what is counted and timed is what callers are told.
		instruments.batch(),
		// Recovery comes before all others: a panic in any other interceptor must not end the process either.
		recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(logger))),
		// Logging is close to the method and so times it alone.
		callLog(logger),
		// Admission has no place here but is the method's first act after measuring the request:
		// what a call weighs is known only there.
	)
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

// recovered logs a panic with its stack, of which callers see nothing.
func recovered(logger *slog.Logger) recovery.RecoveryHandlerFuncContext {
	return func(ctx context.Context, p any) error {
		logger.ErrorContext(ctx, "a call met a defect", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		return service.Internal()
	}
}

// level is the log level of a call by its outcome: what callers do right or wrong is theirs
// to know and logged for those who look for it; what operators can change is a warning.
func level(code codes.Code) logging.Level {
	switch code {
	case codes.ResourceExhausted, codes.Unavailable, codes.DeadlineExceeded:
		return logging.LevelWarn
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return logging.LevelError
	default:
		return logging.LevelDebug
	}
}
