package server

import (
	"math"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"

	"github.com/valkeybatch/valkeybatch/internal/config"
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

// newGRPC returns a gRPC server without services, whose calls pass the interceptors.
func newGRPC(cfg *config.Config, calls interceptors) *grpc.Server {
	return grpc.NewServer(
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
		grpc.UnaryInterceptor(calls.batch),
		grpc.StreamInterceptor(calls.stream),
	)
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
