package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// gate lets calls in of which it is known who makes them, or whose service is open to anyone.
type gate struct {
	callers        *auth.Callers
	openHealth     bool
	openReflection bool
	logger         *slog.Logger
	samples        sampler
}

// newGate returns the gate that the settings ask for; nil: none, everybody is let in.
func newGate(cfg *config.Config, logger *slog.Logger) (*gate, error) {
	if cfg.Auth.File == "" {
		return nil, nil
	}
	callers, err := auth.Open(cfg.Auth.File, !cfg.Embedded(), logger)
	if err != nil {
		return nil, &config.SettingError{Key: "auth-file", Err: err}
	}
	return &gate{
		callers:        callers,
		openHealth:     cfg.Auth.IsOpen(config.OpenHealth),
		openReflection: cfg.Auth.IsOpen(config.OpenReflection),
		logger:         logger,
	}, nil
}

// unary is the interceptor of unary calls and of the batches of streams: each batch of a stream
// is looked at, so that a token that is withdrawn ends what its streams can do.
func (g *gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := g.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// stream is the interceptor of streams: none is opened for callers who are not known.
func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if _, err := g.enter(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handler(srv, stream)
}

// enter returns the context with who calls, or a status.
func (g *gate) enter(ctx context.Context, method string) (context.Context, error) {
	who, err := g.callers.Identify(ctx)
	switch {
	case err == nil:
		return auth.With(ctx, who), nil
	case g.open(method):
		return ctx, nil
	}
	var unknown *auth.UnknownError
	if !errors.As(err, &unknown) {
		return nil, service.Internal()
	}
	g.refused(ctx, method, unknown)
	return nil, service.Unauthenticated(unknown)
}

// known returns a status where it is not known who makes a call. The call is refused, and that logged,
// when it comes to the gate.
func (g *gate) known(ctx context.Context) error {
	if _, err := g.callers.Identify(ctx); err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	return nil
}

// name tells who calls, of a call that need not have been let in; empty: nobody who is known.
func (g *gate) name(ctx context.Context) string {
	who, err := g.callers.Identify(ctx)
	if err != nil {
		return ""
	}
	return who.Name
}

// open reports whether anyone may call a method.
func (g *gate) open(method string) bool {
	switch {
	case strings.HasPrefix(method, "/"+healthpb.Health_ServiceDesc.ServiceName+"/"):
		return g.openHealth
	case strings.HasPrefix(method, "/grpc.reflection."):
		return g.openReflection
	default:
		return false
	}
}

// refused logs that a caller was turned away: somebody's client is set up wrongly, or worse.
func (g *gate) refused(ctx context.Context, method string, err *auth.UnknownError) {
	log, held := g.samples.take(codes.Unauthenticated, time.Now())
	if !log {
		return
	}
	attrs := []slog.Attr{slog.String("method", method), slog.String("cause", err.Cause)}
	if from, ok := peer.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("peer", from.Addr.String()))
	}
	if held > 0 {
		attrs = append(attrs, slog.Int("not_logged_before", held))
	}
	g.logger.LogAttrs(ctx, slog.LevelWarn, "a caller is not known and was refused", attrs...)
}
