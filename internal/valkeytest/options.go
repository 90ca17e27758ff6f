package valkeytest

import (
	"context"
	"errors"
	"os"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// Option changes how StartServer starts a server.
type Option func(*options)

type options struct {
	config local.Config
	tls    bool
}

// Args adds arguments to the server's command line; they win over the package's own.
func Args(args ...string) Option {
	return func(o *options) { o.config.Args = append(o.config.Args, args...) }
}

// Binary runs another server than valkey-server, such as "redis-server".
func Binary(name string) Option { return func(o *options) { o.config.Binary = name } }

// Password sets requirepass. The server's own helpers authenticate with it; Args
// ("--requirepass", ...) would lock them out.
func Password(password string) Option { return func(o *options) { o.config.Password = password } }

// TLS makes the server speak TLS only, with a certificate for 127.0.0.1 and localhost signed
// by an authority made for it. Client certificates are accepted and not required.
func TLS() Option { return func(o *options) { o.tls = true } }

// UnixSocket makes the server listen on a unix socket too; see [Server.Socket].
func UnixSocket() Option { return func(o *options) { o.config.UnixSocket = true } }

// Port makes the server listen on a port chosen by the test.
func Port(port int) Option { return func(o *options) { o.config.Port = port } }

func (o *options) start(ctx context.Context) (*local.Server, error) {
	if !o.tls {
		return local.Start(ctx, o.config)
	}
	// The server and the client both load the files at once and keep what they hold, but a
	// restart reads them again: they go where the server's own directory will be removed.
	dir, err := os.MkdirTemp("", "valkeytest-tls-")
	if err != nil {
		return nil, err
	}
	if o.config.TLS, err = local.NewTLS(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s, err := local.Start(ctx, o.config)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.OnClose(func() error { return os.RemoveAll(dir) })
	return s, nil
}
