// Package certs makes TLS settings of certificate files, and keeps them as the files change.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"

	"github.com/valkeybatch/valkeybatch/internal/reload"
)

// Client are the settings of connections to servers: what they trust, and who they are.
type Client struct {
	// CA is a PEM file of the authorities to trust; empty: the system's.
	CA string
	// Cert and Key are PEM files of the certificate to show and its key; empty: none.
	Cert, Key string
	// ServerName is the name that the other side must prove; empty: the host that was dialled.
	ServerName string
}

// Server are the settings of a server's connections.
type Server struct {
	// Cert and Key are PEM files of the server's certificate chain and its key.
	Cert, Key string
	// ClientCA is a PEM file of the authorities that sign clients' certificates; empty: none is asked for.
	ClientCA string
	// Optional lets clients without a certificate in.
	Optional bool
}

// Config are TLS settings that follow their files. It is a [reload.Checker].
type Config = reload.Value[*tls.Config]

// NewClient reads the files and returns the settings of connections to servers.
func NewClient(c Client, logger *slog.Logger) (*Config, error) {
	return reload.New("certificates for Valkey", []string{c.CA, c.Cert, c.Key}, c.load, logger)
}

func (c Client) load(files reload.Files) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	var err error
	if c.CA != "" {
		if out.RootCAs, err = pool(c.CA, files); err != nil {
			return nil, err
		}
	}
	if c.Cert != "" {
		pair, err := pair(c.Cert, c.Key, files)
		if err != nil {
			return nil, err
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// NewServer reads the files and returns the settings of a server's connections.
func NewServer(s Server, logger *slog.Logger) (*Config, error) {
	return reload.New("certificates for callers", []string{s.Cert, s.Key, s.ClientCA}, s.load, logger)
}

func (s Server) load(files reload.Files) (*tls.Config, error) {
	pair, err := pair(s.Cert, s.Key, files)
	if err != nil {
		return nil, err
	}
	out := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		// A resumed session would stand for a certificate that was checked in the past, by
		// authorities that may have been withdrawn; gRPC's connections last long enough.
		SessionTicketsDisabled: true,
	}
	if s.ClientCA != "" {
		if out.ClientCAs, err = pool(s.ClientCA, files); err != nil {
			return nil, err
		}
		out.ClientAuth = tls.RequireAndVerifyClientCert
		if s.Optional {
			out.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return out, nil
}

// Serving returns settings for a listener that take those of c at each handshake, for connections
// with one of the protocols.
func Serving(c *Config, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := c.Load().Clone()
			now.NextProtos = protocols
			return now, nil
		},
	}
}

// pair makes a certificate of the files. Its error says which file is wrong and why, not what it holds.
func pair(cert, key string, files reload.Files) (tls.Certificate, error) {
	out, err := tls.X509KeyPair(files[cert], files[key])
	if err != nil {
		return out, fmt.Errorf("%s with %s: %w", cert, key, err)
	}
	return out, nil
}

// pool makes a pool of the certificates of a file.
func pool(path string, files reload.Files) (*x509.CertPool, error) {
	out := x509.NewCertPool()
	if !out.AppendCertsFromPEM(files[path]) {
		return nil, fmt.Errorf("%s: %w", path, errNoCertificate)
	}
	return out, nil
}

var errNoCertificate = errors.New("it holds no PEM certificate")
