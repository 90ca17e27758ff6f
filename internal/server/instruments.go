package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/admin"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/telemetry"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// instruments are what tells operators of batches. What is not asked for is nil, and then
// nothing stands in a batch's way for it.
type instruments struct {
	metrics *telemetry.Metrics
	tracer  *telemetry.Tracer
	slow    *slowLog
	access  *accessLog
}

func newInstruments(cfg *config.Config, logger *slog.Logger, version string) (*instruments, error) {
	i := &instruments{}
	if cfg.Admin.Listen != "" {
		i.metrics = telemetry.NewMetrics(version)
	}
	t := cfg.Telemetry
	if t.SlowBatch > 0 {
		i.slow = &slowLog{logger: logger, least: t.SlowBatch}
	}
	if t.AccessLog && t.AccessLogSample > 0 {
		i.access = &accessLog{logger: logger, share: t.AccessLogSample}
	}
	if t.TraceEndpoint != "" {
		var err error
		i.tracer, err = telemetry.NewTracer(telemetry.TraceConfig{
			Endpoint: t.TraceEndpoint, Share: t.TraceSample, Version: version, Logger: logger,
		})
		if err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
	}
	return i, nil
}

// observer is whom the executor tells of batches; nil: nobody.
func (i *instruments) observer() executor.Observer {
	var all observers
	if i.metrics != nil {
		all = append(all, i.metrics)
	}
	if i.tracer != nil {
		all = append(all, i.tracer)
	}
	if i.slow != nil {
		all = append(all, i.slow)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	default:
		return all
	}
}

// observers are told one after the other.
type observers []executor.Observer

// Detailed implements executor.Observer.
func (o observers) Detailed(ctx context.Context) bool {
	for _, one := range o {
		if one.Detailed(ctx) {
			return true
		}
	}
	return false
}

// Executed implements executor.Observer.
func (o observers) Executed(ctx context.Context, r *executor.Report) {
	for _, one := range o {
		one.Executed(ctx, r)
	}
}

// interceptors count calls of all services; nil: none do.
func (i *instruments) interceptors() (grpc.UnaryServerInterceptor, []grpc.StreamServerInterceptor) {
	if i.metrics == nil {
		return nil, nil
	}
	return i.metrics.UnaryInterceptor(), []grpc.StreamServerInterceptor{i.metrics.StreamInterceptor()}
}

// batch returns the interceptor that counts, traces and logs batches; nil when nothing is to be.
func (i *instruments) batch() grpc.UnaryServerInterceptor {
	if i.metrics == nil && i.tracer == nil && i.access == nil {
		return nil
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		request, ok := req.(*wire.Request)
		if !ok { // a call of another service
			return handler(ctx, req)
		}
		start := time.Now()
		if i.access != nil {
			ctx = i.access.begin(ctx)
		}
		var span *telemetry.Span
		if i.tracer != nil {
			ctx, span = i.tracer.Start(ctx, info.FullMethod, start)
		}
		answer, err := handler(ctx, req)
		took := time.Since(start)
		code := status.Code(err)
		// Of a malformed request these are what was read until there.
		size, _ := request.Measure()
		if i.metrics != nil {
			i.metrics.Batch(size.Atomic, size.Commands, code, took)
			if err != nil {
				i.metrics.Failed(reasonOf(err))
			}
		}
		if span != nil {
			span.End(size.Atomic, size.Commands, err)
		}
		if i.access != nil {
			i.access.end(ctx, info.FullMethod, request, size, err, took)
		}
		return answer, err
	}
}

// stream returns the interceptor that counts streams which end with an error of the service; nil
// when nothing is to be. What their batches' callers were told is counted by batch.
func (i *instruments) stream() grpc.StreamServerInterceptor {
	if i.metrics == nil {
		return nil
	}
	return func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		err := handler(srv, s)
		if reason := reasonOf(err); reason != "" {
			i.metrics.Failed(reason)
		}
		return err
	}
}

// identify has the access log name callers, by what tells who they are.
func (i *instruments) identify(name func(context.Context) string) {
	if i.access != nil {
		i.access.identity = name
	}
}

// close sends what is still to be sent.
func (i *instruments) close() {
	if i.tracer != nil {
		i.tracer.Close()
	}
}

// startAdmin binds the listener for operators, if there is to be one.
func (s *Server) startAdmin() error {
	if s.cfg.Admin.Listen == "" {
		return nil
	}
	l, err := listen([]string{s.cfg.Admin.Listen})
	if err != nil {
		return err
	}
	s.telemetry.metrics.Watch(telemetry.State{
		InFlight:      s.backend.service.InFlight,
		ReplyBytes:    s.backend.replies.Used,
		Arriving:      s.backend.service.Arriving,
		HTTPBytes:     s.http.InFlight,
		Connections:   func() (byGRPC, byHTTP int64) { return s.connections.Load(), s.http.Connections() },
		MaxBatches:    int64(s.cfg.Limits.MaxInFlightBatches),
		MaxBytes:      int64(s.cfg.Limits.MaxInFlightBytes),
		MaxReplyBytes: int64(s.cfg.Limits.MaxInFlightReplyBytes),
		Serving:       s.serving,
		Topology:      s.backend.topology.Load,
		Refreshes:     func() slotmap.Stats { return s.backend.topology.Stats() },
		Nodes:         func() []node.Stats { return s.backend.users.stats(s.backend.pool) },
		LostSpans:     s.telemetry.tracer.Lost,
	})
	s.admin = admin.New(l[0], admin.Config{
		Metrics: s.telemetry.metrics.Gatherer(), Ready: s.serving, PProf: s.cfg.Admin.PProf, Logger: s.logger,
	})
	return nil
}

// AdminAddr is the address of the listener for operators; nil: there is none.
func (s *Server) AdminAddr() net.Addr {
	if s.admin == nil {
		return nil
	}
	return s.admin.Addr()
}

// serving tells what the server's health says.
func (s *Server) serving() bool {
	answer, err := s.health.server.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: HealthServer})
	return err == nil && answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
}
