package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/valkeybatch/valkeybatch/internal/certs"
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
	creds, err := probeCredentials(probe)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer conn.Close()
	if probe.TokenFile != "" {
		token, err := os.ReadFile(probe.TokenFile)
		if err != nil {
			return fmt.Errorf("healthcheck: token-file: %w", err)
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: probe.Service})
	if err != nil {
		return fmt.Errorf("healthcheck: %s: %w", probe.Address, err)
	}
	if answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("healthcheck: %s: %s", probe.Address, answer.GetStatus())
	}
	return nil
}

// probeCredentials is how the probe's connection is secured.
func probeCredentials(probe *config.Healthcheck) (credentials.TransportCredentials, error) {
	switch given := probe.CA != "" || probe.Cert != "" || probe.Key != "" || probe.ServerName != ""; {
	case !probe.TLS && given:
		return nil, errors.New("ca, cert, key and server-name need tls")
	case !probe.TLS:
		return insecure.NewCredentials(), nil
	case (probe.Cert == "") != (probe.Key == ""):
		return nil, errors.New("cert and key need each other")
	}
	settings, err := certs.NewClient(certs.Client{CA: probe.CA, Cert: probe.Cert, Key: probe.Key, ServerName: probe.ServerName},
		slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(settings.Load()), nil
}
