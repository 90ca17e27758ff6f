package server

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/valkeybatch/valkeybatch/internal/config"
)

// Healthcheck asks a running server for its health, for container probes. It returns nil if
// and only if the server says that it is serving.
func Healthcheck(ctx context.Context, probe *config.Healthcheck) error {
	ctx, cancel := context.WithTimeout(ctx, probe.Timeout)
	defer cancel()
	target := probe.Address
	if !strings.HasPrefix(target, config.UnixScheme) {
		target = "passthrough:///" + target
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer conn.Close()
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: probe.Service})
	if err != nil {
		return fmt.Errorf("healthcheck: %s: %w", probe.Address, err)
	}
	if answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("healthcheck: %s: %s", probe.Address, answer.GetStatus())
	}
	return nil
}
