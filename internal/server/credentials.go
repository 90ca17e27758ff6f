package server

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/certs"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/reload"
)

// security is how callers' connections are secured; without certificates they are not.
type security struct{ certificates *certs.Config }

// newSecurity returns what the settings ask for, and the files that it depends on.
func newSecurity(cfg *config.Config, logger *slog.Logger) (security, []reload.Checker, error) {
	if !cfg.TLS.Enabled() {
		return security{}, nil, nil
	}
	certificates, err := certs.NewServer(cfg.TLS.Files(), logger)
	if err != nil {
		return security{}, nil, err
	}
	return security{certificates}, []reload.Checker{certificates}, nil
}

// tls is for connections with one of the protocols; nil: they are plaintext.
func (s security) tls(protocols ...string) *tls.Config {
	if s.certificates == nil {
		return nil
	}
	return certs.Serving(s.certificates, protocols...)
}

// credentials are for gRPC's connections.
func (s security) credentials(logger *slog.Logger) credentials.TransportCredentials {
	if s.certificates == nil {
		return insecure.NewCredentials()
	}
	return &tcpOnly{
		TransportCredentials: credentials.NewTLS(s.tls("h2")),
		plain:                insecure.NewCredentials(),
		logger:               logger,
	}
}

// tcpOnly secures TCP connections and leaves those of unix sockets as they are.
type tcpOnly struct {
	credentials.TransportCredentials
	plain   credentials.TransportCredentials
	logger  *slog.Logger
	samples sampler
}

// ServerHandshake implements credentials.TransportCredentials.
func (c *tcpOnly) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if conn.LocalAddr().Network() == "unix" {
		return c.plain.ServerHandshake(conn)
	}
	secured, info, err := c.TransportCredentials.ServerHandshake(conn)
	if err != nil {
		c.refused(conn, err)
	}
	if tls, ok := info.(credentials.TLSInfo); ok {
		info = auth.NewPeer(tls)
	}
	return secured, info, err
}

// refused logs a handshake that failed: the client is told next to nothing of why.
func (c *tcpOnly) refused(conn net.Conn, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return // a probe that only connects, and a client that has gone
	}
	log, held := c.samples.take(codes.Unauthenticated, time.Now())
	if !log {
		return
	}
	attrs := []any{"peer", conn.RemoteAddr().String(), "error", err}
	if held > 0 {
		attrs = append(attrs, "not_logged_before", held)
	}
	c.logger.Warn("a caller's TLS handshake failed", attrs...)
}

// Clone implements credentials.TransportCredentials.
func (c *tcpOnly) Clone() credentials.TransportCredentials {
	return &tcpOnly{TransportCredentials: c.TransportCredentials.Clone(), plain: c.plain, logger: c.logger}
}
