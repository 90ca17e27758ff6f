package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/valkeybatch/valkeybatch/internal/service"
)

const (
	// headerTimeout is how long a request's headers may take to arrive, and a TLS handshake.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long a connection may be open without a call.
	idleTimeout = 3 * time.Minute
	// maxHeaderBytes is the most bytes of a request's headers.
	maxHeaderBytes = 64 << 10
	// pingTime and pingTimeout find out dead peers of HTTP/2 connections, as gRPC's keepalive does.
	pingTime    = 60 * time.Second
	pingTimeout = 20 * time.Second
	// streamWindow and connWindow are how much of requests a caller may send over HTTP/2 without a
	// word from the server, on one call and on one connection.
	streamWindow = 1 << 20
	connWindow   = 4 << 20
)

// Config is what a Server works with. All but TLS and the interceptors is required.
type Config struct {
	// Batches carries out the calls.
	Batches service.Handler
	// Batch is what every batch passes, on a call of its own or on a stream, and Stream what every
	// stream passes: those of the gRPC server. Nil: none.
	Batch  grpc.UnaryServerInterceptor
	Stream grpc.StreamServerInterceptor
	// Limits are those of the service, as far as they are of use before it has a request.
	Limits Limits
	// Connections bound callers' connections.
	Connections Connections
	// Origins are those whose pages browsers may call from, as they send them; "*" is all.
	Origins []string
	// TLS secures TCP connections; nil: plaintext. Unix sockets always are.
	TLS *tls.Config
	// Logger receives what operators should see.
	Logger *slog.Logger
}

// Limits bound what callers can hold before and after the service has their batches.
type Limits struct {
	// Commands and Arguments are the most of one batch.
	Commands, Arguments int
	// RequestBytes is the largest encoded batch. JSON may be as long.
	RequestBytes int64
	// InFlightBytes is the most bytes of requests that are received and decoded at once.
	InFlightBytes int64
	// InFlightReplyBytes is the most bytes of JSON answers at once.
	InFlightReplyBytes int64
	// Stall is how long a caller may leave us waiting for the next piece of a request, or let the
	// next piece of an answer lie.
	Stall time.Duration
	// Calls is the most calls that are open on one HTTP/2 connection.
	Calls int
}

// Server serves the contract over HTTP.
type Server struct {
	http        *http.Server
	connections *connections
	api         *api
	secured     bool // TCP connections are
	// cancel ends the contexts of all calls.
	cancel context.CancelFunc
	calls  *open
}

// New returns a server. It ends with Close.
func New(cfg Config) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	calls := &open{}
	handler, api := newHandler(cfg)
	s := &Server{cancel: cancel, calls: calls, connections: &connections{Connections: cfg.Connections}, api: api, secured: cfg.TLS != nil}
	s.http = &http.Server{
		Handler:           calls.count(s.connections.ending(handler)),
		TLSConfig:         cfg.TLS,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// What clients do wrong on their connections is theirs to know.
		ErrorLog:    slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: s.connections.context,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          cfg.Limits.Calls,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connWindow,
			SendPingTimeout:               pingTime,
			PingTimeout:                   pingTimeout,
			WriteByteTimeout:              cfg.Limits.Stall,
		},
		Protocols: new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(cfg.TLS != nil)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// Serve serves a listener until Shutdown or Close, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	l = listener{l, s.connections}
	serve := s.http.Serve
	if s.secured && l.Addr().Network() != "unix" {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Drain has every answer from now on tell a client with HTTP/1.1 that its connection ends, before
// Shutdown ends those that idle: a request could be on its way into one of them.
func (s *Server) Drain() { s.connections.draining.Store(true) }

// InFlight returns how many bytes of requests are being received and decoded at this moment, and how
// many of JSON answers there are: what [Limits.InFlightBytes] and [Limits.InFlightReplyBytes] bound.
func (s *Server) InFlight() (requests, answers int64) {
	return s.api.requests.used.Load(), s.api.answers.used.Load()
}

// Connections returns how many connections are open.
func (s *Server) Connections() int64 { return s.connections.open.Load() }

// Shutdown closes the listeners, tells clients to go elsewhere, and returns when the calls have
// ended, or with an error when ctx has.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close ends everything at once and returns when the calls have ended. It may be called more than
// once.
func (s *Server) Close() {
	s.cancel()
	_ = s.http.Close() // of listeners and connections that are closed anyway
	s.calls.wait()
}

// open counts the calls that have not ended.
type open struct {
	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

func (o *open) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		o.calls.Add(1)
		o.mu.Unlock()
		defer o.calls.Done()
		h.ServeHTTP(w, r)
	})
}

// wait waits for them. Calls that begin afterwards are cut off.
func (o *open) wait() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.calls.Wait()
}
