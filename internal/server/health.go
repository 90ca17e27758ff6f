package server

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// The names that health can be asked for. All follow the deployment: a server that cannot
// reach it serves nobody. ComponentValkey is apart so that later components do not blur it.
const (
	HealthServer    = ""
	HealthService   = "valkeybatch.v1.BatchService"
	ComponentValkey = "valkey"
)

const (
	// healthyInterval is the pause between checks that succeed. After a failure it is
	// firstFailing, doubled with every further one up to maxFailing: what passes at once, as
	// while the server starts, is to be noticed at once.
	healthyInterval = 3 * time.Second
	firstFailing    = 50 * time.Millisecond
	maxFailing      = time.Second
	// checkTimeout bounds one check.
	checkTimeout = 4 * time.Second
)

// healthLoop asks for the deployment's health and publishes it by gRPC's health protocol.
type healthLoop struct {
	server *health.Server
	check  func(context.Context) error
	logger *slog.Logger
}

// newHealthLoop registers the health service. A nil check means that there is nothing to
// check: always serving.
func newHealthLoop(registrar grpc.ServiceRegistrar, check func(context.Context) error, logger *slog.Logger) *healthLoop {
	h := &healthLoop{server: health.NewServer(), check: check, logger: logger}
	h.publish(check == nil)
	healthpb.RegisterHealthServer(registrar, h.server)
	return h
}

// run checks until ctx ends.
func (h *healthLoop) run(ctx context.Context) {
	if h.check == nil {
		return
	}
	serving, first := false, true
	pause := firstFailing
	for {
		checkCtx, cancel := context.WithTimeout(ctx, checkTimeout)
		err := h.check(checkCtx)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if now := err == nil; now != serving || first {
			serving, first = now, false
			h.publish(now)
			if now {
				h.logger.Info("the deployment is healthy: serving")
			} else {
				h.logger.Warn("the deployment is not healthy: not serving", "error", err)
			}
		}
		wait := healthyInterval
		if serving {
			pause = firstFailing
		} else {
			wait, pause = pause, min(2*pause, maxFailing)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// publish sets all names at once.
func (h *healthLoop) publish(serving bool) {
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthpb.HealthCheckResponse_SERVING
	}
	for _, name := range []string{HealthServer, HealthService, ComponentValkey} {
		h.server.SetServingStatus(name, status)
	}
}

// shutdown says NOT_SERVING from now on, whatever later checks find.
func (h *healthLoop) shutdown() { h.server.Shutdown() }
