package server

import (
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

// newCredentials returns how callers' connections are secured, and the files that it depends on.
func newCredentials(cfg *config.Config, logger *slog.Logger) (credentials.TransportCredentials, []reload.Checker, error) {
	if !cfg.TLS.Enabled() {
		return insecure.NewCredentials(), nil, nil
	}
	settings, err := certs.NewServer(cfg.TLS.Files(), logger)
	if err != nil {
		return nil, nil, err
	}
	creds := &tcpOnly{
		TransportCredentials: credentials.NewTLS(certs.Serving(settings)),
		plain:                insecure.NewCredentials(),
		logger:               logger,
	}
	return creds, []reload.Checker{settings}, nil
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
