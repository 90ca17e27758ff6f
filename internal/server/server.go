// Package server puts the parts together and runs them: listeners, the gRPC server with its
// interceptors, health, and the road from the service down to the deployment.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"github.com/valkeybatch/valkeybatch/internal/admin"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/reload"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// Server is a running valkeybatch server, from bound listeners to drained end.
type Server struct {
	cfg       *config.Config
	logger    *slog.Logger
	listeners []net.Listener
	backend   *backend
	health    *healthLoop
	grpc      *grpc.Server
	others    *otherStreams
	// connections are how many of gRPC's are open.
	connections *atomic.Int64
	http        httpServer
	admin       *admin.Server // nil: there is none
	telemetry   *instruments
	close       sync.Once
}

// Option says something of a server that no setting does.
type Option func(*about)

type about struct{ version string }

// WithVersion tells the version of the program, which metrics and traces name.
func WithVersion(version string) Option { return func(a *about) { a.version = version } }

// New binds the listeners and builds everything behind them. The deployment need not be
// reachable: the server serves, says NOT_SERVING in health, and recovers by itself. The
// settings must be valid. The Server must be ended by [Server.Run] or [Server.Close].
func New(cfg *config.Config, logger *slog.Logger, options ...Option) (*Server, error) {
	var about about
	for _, o := range options {
		o(&about)
	}
	listeners, err := listen(cfg.Listen)
	if err != nil {
		return nil, err
	}
	httpListeners, err := listen(cfg.HTTP.Listen)
	if err != nil {
		return nil, errors.Join(err, closeAll(listeners))
	}
	instruments, err := newInstruments(cfg, logger, about.version)
	if err != nil {
		return nil, errors.Join(err, closeAll(listeners), closeAll(httpListeners))
	}
	backend, err := newBackend(cfg, logger, instruments.observer())
	if err != nil {
		instruments.close()
		return nil, errors.Join(err, closeAll(listeners), closeAll(httpListeners))
	}
	fail := func(err error) (*Server, error) {
		backend.close()
		instruments.close()
		return nil, errors.Join(err, closeAll(listeners), closeAll(httpListeners))
	}
	secured, files, err := newSecurity(cfg, logger)
	if err != nil {
		return fail(err)
	}
	backend.files = append(backend.files, files...)
	g, err := newGate(cfg, logger)
	if err != nil {
		return fail(err)
	}
	if g != nil {
		backend.files = append(backend.files, g.callers)
		g.callers.OnChange(func() { backend.users.only(g.callers.Users()) })
		instruments.identify(g.name)
		backend.service.AskFirst(g.known)
	}
	s := assemble(cfg, logger, listeners, backend, backend.service, secured, g, instruments)
	s.http.listeners = httpListeners
	if err := s.startAdmin(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// assemble builds the servers over their listeners and their backend.
func assemble(cfg *config.Config, logger *slog.Logger, listeners []net.Listener, backend *backend,
	batches service.Handler, secured security, g *gate, instruments *instruments,
) *Server {
	calls := newInterceptors(logger, g, instruments)
	connections := new(atomic.Int64)
	others := newOtherStreams(cfg.Limits.MaxStreams)
	s := &Server{
		cfg:         cfg,
		logger:      logger,
		listeners:   listeners,
		backend:     backend,
		grpc:        newGRPC(cfg, logger, secured.credentials(logger), calls, others, connections),
		others:      others,
		connections: connections,
		http:        httpServer{Server: newHTTP(cfg, logger, batches, secured, calls)},
		telemetry:   instruments,
	}
	service.Register(s.grpc, batches, calls.batch)
	s.health = newHealthLoop(s.grpc, backend.check, logger)
	reflection.Register(s.grpc)
	return s
}

// Addrs are the addresses of the bound listeners, in the order of the settings.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Run serves until ctx ends, then drains: health says NOT_SERVING, new batches are still
// taken for the drain delay, those in flight may then end within the drain timeout, and what
// is left is cut off. It returns nil after a drain, however it ended, and an error if a
// listener failed.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	owning, stopOwned := context.WithCancel(context.Background())
	var owned sync.WaitGroup
	owned.Go(func() { s.health.run(owning) })
	owned.Go(func() { reload.Watch(owning, s.cfg.TLS.ReloadInterval, s.backend.files...) })
	defer owned.Wait()
	defer stopOwned()

	failed := make(chan error, len(s.listeners)+len(s.http.listeners)+1)
	if s.admin != nil {
		s.logger.Info("listening for operators", "address", s.admin.Addr().String(), "network", s.admin.Addr().Network())
		owned.Go(func() {
			if err := s.admin.Serve(); err != nil {
				failed <- fmt.Errorf("server: %s: %w", s.admin.Addr(), err)
			}
		})
		// Operators see the drain to its end.
		defer s.admin.Close()
	}
	for _, l := range s.listeners {
		s.logger.Info("listening", "address", l.Addr().String(), "network", l.Addr().Network())
		owned.Go(func() {
			if err := s.grpc.Serve(l); err != nil {
				failed <- fmt.Errorf("server: %s: %w", l.Addr(), err)
			}
		})
	}
	s.http.serve(&owned, s.logger, failed)
	select {
	case <-ctx.Done():
		s.drain()
		return nil
	case err := <-failed:
		s.grpc.Stop()
		s.http.Close()
		return err
	}
}

// drain ends the servers as gently as the settings allow.
func (s *Server) drain() {
	s.logger.Info("draining", "delay", s.cfg.DrainDelay, "timeout", s.cfg.DrainTimeout)
	// Health goes first, so that load balancers send no more while everything still works.
	s.health.shutdown()
	s.http.Drain()
	if s.cfg.DrainDelay > 0 {
		time.Sleep(s.cfg.DrainDelay)
	}
	// Streams would go on as long as their callers like.
	s.backend.service.Drain()
	s.others.drain()
	// GracefulStop closes the listeners, tells clients to go elsewhere and waits for calls to
	// end, with no bound of its own. So does Shutdown of the HTTP server.
	timeout, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var both sync.WaitGroup
		both.Go(s.grpc.GracefulStop)
		both.Go(func() { _ = s.http.Shutdown(timeout) }) // but for the timeout it cannot fail
		both.Wait()
	}()
	timer := time.NewTimer(s.cfg.DrainTimeout)
	defer timer.Stop()
	select {
	case <-done:
		s.logger.Info("drained")
	case <-timer.C:
		s.logger.Warn("cutting off the calls that have not ended within the drain timeout", "timeout", s.cfg.DrainTimeout)
		cancel()
		s.grpc.Stop()
		s.http.Close()
		<-done
	}
}

// Close ends everything at once. It may be called more than once.
func (s *Server) Close() {
	s.close.Do(func() {
		s.others.drain()
		s.grpc.Stop()
		s.http.Close()
		// Serve closes the listeners it was given; those it never got are closed here.
		_ = closeAll(s.listeners)
		_ = closeAll(s.http.listeners)
		s.backend.close()
		if s.admin != nil {
			s.admin.Close()
		}
		s.telemetry.close()
	})
}

var _ service.Handler = (*service.Service)(nil)
