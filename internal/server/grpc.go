package server

import (
	"log/slog"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"

	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/poison"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/stall"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// settingConnections is the setting that bounds connections, as refusals name it.
const settingConnections = "max-connections"

const (
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
	// headerBytes is the most that the headers of a call may come to, by HTTP/2's count. gRPC's own
	// choice of 16 MiB is read, and kept for the length of the call, before anybody asks who calls.
	headerBytes = 64 << 10
	// handshakeTime is how long a connection may take to begin: TLS and HTTP/2's first frames.
	handshakeTime = 10 * time.Second
)

// newGRPC returns a gRPC server without services, whose calls pass the interceptors.
func newGRPC(cfg *config.Config, logger *slog.Logger, creds credentials.TransportCredentials, calls interceptors, others *otherStreams, open *atomic.Int64) *grpc.Server {
	return grpc.NewServer(
		// Responses that nobody reads are given up.
		grpc.Creds(stall.Credentials(creds, stall.Options{
			Patience:       cfg.Limits.MaxStreamStall,
			MaxConnections: cfg.Limits.MaxConnections,
			Setting:        settingConnections,
			Open:           open,
			Refused:        tooMany(logger, cfg.Limits.MaxConnections),
			Ended:          unread(logger, cfg.Limits.MaxStreamStall),
		})),
		// Batches are handed over as bytes: they are measured and admitted before they are decoded.
		grpc.ForceServerCodecV2(wire.Codec()),
		experimental.BufferPool(poison.Buffers(frameKind, newFramePool())),
		grpc.NumStreamWorkers(callWorkers),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.MaxRecvMsgSize(int(min(int64(cfg.Limits.MaxRequestBytes)+service.MaxOverBytes, math.MaxInt32))),
		grpc.MaxHeaderListSize(headerBytes),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.MaxConcurrentStreams(uint32(cfg.Limits.MaxInFlightBatches+streamSlack)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             cfg.Connections.KeepaliveMinTime,
			PermitWithoutStream: true,
		}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time:    cfg.Connections.KeepaliveTime,
			Timeout: cfg.Connections.KeepaliveTimeout,
			// Zero is no end for gRPC too.
			MaxConnectionAge:      cfg.Connections.MaxConnectionAge,
			MaxConnectionAgeGrace: cfg.Connections.MaxConnectionAgeGrace,
		}),
		// Stop returns when the handlers have: what they use is closed after it.
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(chain(calls.counting, calls.batch)),
		grpc.ChainStreamInterceptor(append(calls.counted, calls.stream, others.intercept)...),
	)
}

// tooMany logs connections that were refused.
func tooMany(logger *slog.Logger, most int) func(net.Addr, int64) {
	samples := &sampler{}
	return func(remote net.Addr, number int64) {
		if log, held := samples.take(codes.ResourceExhausted, time.Now()); log {
			logger.Warn("refused a connection: too many are open", "peer", remote.String(), "actual", number,
				"allowed", most, "setting", settingConnections, "not_logged_before", held)
		}
	}
}

// unread logs calls and connections that were ended because a response was not read.
func unread(logger *slog.Logger, patience time.Duration) func(net.Addr, bool) {
	samples := &sampler{}
	return func(remote net.Addr, connection bool) {
		log, held := samples.take(codes.ResourceExhausted, time.Now())
		if !log {
			return
		}
		what := "a call"
		if connection {
			what = "a connection"
		}
		logger.Warn("ended "+what+": nothing of a response was read for too long",
			"peer", remote.String(), "allowed", patience, "setting", service.SettingStreamStall, "not_logged_before", held)
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
