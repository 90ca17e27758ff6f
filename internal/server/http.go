package server

import (
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/httpapi"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// httpServer is the HTTP server and its listeners, of which there may be none.
type httpServer struct {
	*httpapi.Server
	listeners []net.Listener
}

// newHTTP returns the HTTP server over the same service, whose calls pass the interceptors of the
// gRPC server's and are held to the same limits.
func newHTTP(cfg *config.Config, logger *slog.Logger, batches service.Handler, secured security, calls interceptors) *httpapi.Server {
	return httpapi.New(httpapi.Config{
		Batches: batches,
		Batch:   calls.batch,
		Stream:  calls.stream,
		Limits: httpapi.Limits{
			Commands:           cfg.Limits.MaxCommands,
			Arguments:          cfg.Limits.MaxArguments,
			RequestBytes:       int64(cfg.Limits.MaxRequestBytes),
			InFlightBytes:      int64(cfg.Limits.MaxInFlightBytes),
			InFlightReplyBytes: int64(cfg.Limits.MaxInFlightReplyBytes),
			Stall:              cfg.Limits.MaxStreamStall,
			Calls:              cfg.Limits.MaxInFlightBatches + streamSlack,
		},
		Connections: httpapi.Connections{
			Max:      cfg.Limits.MaxConnections,
			Refused:  tooMany(logger, cfg.Limits.MaxConnections),
			Age:      cfg.Connections.MaxConnectionAge,
			AgeGrace: cfg.Connections.MaxConnectionAgeGrace,
		},
		TLS:     secured.tls("h2", "http/1.1"),
		Origins: cfg.HTTP.AllowOrigin,
		Logger:  logger,
	})
}

// HTTPAddrs are the addresses of the bound HTTP listeners, in the order of the settings.
func (s *Server) HTTPAddrs() []net.Addr {
	addrs := make([]net.Addr, len(s.http.listeners))
	for i, l := range s.http.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// serve serves the listeners and tells failed if one fails.
func (h *httpServer) serve(owned *sync.WaitGroup, logger *slog.Logger, failed chan<- error) {
	for _, l := range h.listeners {
		logger.Info("listening for HTTP", "address", l.Addr().String(), "network", l.Addr().Network())
		owned.Go(func() {
			if err := h.Serve(l); err != nil {
				failed <- fmt.Errorf("server: HTTP on %s: %w", l.Addr(), err)
			}
		})
	}
}
