// Package admin is the HTTP listener for operators: metrics, probes and profiles. It asks nobody
// who they are and has no TLS, so it is to be reachable by operators only.
package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// headerTimeout and idleTimeout bound connections that send no request.
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxScrapes is how many scrapes are answered at once; more are refused.
	maxScrapes = 4
)

// Config is what an admin server tells.
type Config struct {
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// Ready is what /readyz says: whether the server takes batches.
	Ready func() bool
	// PProf serves Go's profiles under /debug/pprof/.
	PProf bool
	// Logger takes what goes wrong.
	Logger *slog.Logger
}

// Handler returns the handler of everything that cfg asks for.
func Handler(cfg Config) http.Handler {
	errorLog := slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{
		ErrorLog: errorLog, MaxRequestsInFlight: maxScrapes,
		// What could be gathered is of use beside what could not.
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if cfg.Ready() {
			say(w, http.StatusOK, "ready")
		} else {
			say(w, http.StatusServiceUnavailable, "not ready: the deployment is not healthy, or the server is shutting down")
		}
	})
	if cfg.PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		// Without cmdline, where a password may stand.
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// say answers with a line of text.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// Server serves a handler on one listener.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// New returns a server that owns the listener. It is ended by Close.
func New(l net.Listener, cfg Config) *Server {
	return &Server{listener: l, http: &http.Server{
		Handler: Handler(cfg), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
	}}
}

// Addr is the address of the listener.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve serves until Close. It returns an error if the listener failed.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// closeTimeout is how long a request under way may take to be answered.
const closeTimeout = time.Second

// Close ends the listener, lets requests under way be answered for a moment, and ends the rest.
// It may be called more than once, and before Serve.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
	}
	_ = s.listener.Close() // which Serve may never have been given
}
