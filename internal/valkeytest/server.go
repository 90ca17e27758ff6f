package valkeytest

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// deadline bounds every single thing that this package waits for: far beyond what it takes
// on a busy machine.
const deadline = 60 * time.Second

// Server is one real server process. Its methods fail the test they are given when the
// server cannot be reached or the process does not do as asked; a server's error is a reply
// like any other. They are safe for concurrent use.
type Server struct {
	node *local.Node // of a standalone server only Server is set
}

// StartServer starts a server on a free port, with no persistence, and returns when it
// answers. It ends with the test.
func StartServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := startServer(opts)
	if err != nil {
		t.Fatalf("valkeytest: %v", err)
	}
	t.Cleanup(func() { s.close(t) })
	return s
}

func startServer(opts []Option) (*Server, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	s, err := o.start(ctx)
	if err != nil {
		return nil, err
	}
	return &Server{node: &local.Node{Server: s}}, nil
}

func (s *Server) close(t testing.TB) {
	t.Helper()
	if t.Failed() && !s.node.Running() {
		t.Logf("valkeytest: %s is down; it last logged:\n%s", s.Addr(), s.node.LogTail())
	}
	if err := s.node.Close(); err != nil {
		t.Errorf("valkeytest: ending %s: %v", s.Addr(), err)
	}
}

// Addr returns host:port.
func (s *Server) Addr() string { return s.node.Addr() }

// Port returns the port of Addr.
func (s *Server) Port() int { return s.node.Port() }

// Socket returns the path of the unix socket of a server started with [UnixSocket].
func (s *Server) Socket() string { return s.node.SocketPath() }

// ID returns the cluster node id, empty for a standalone server.
func (s *Server) ID() string { return s.node.ID }

// TLS returns what a client needs to connect to a server started with [TLS]: it trusts the
// server's authority and presents a certificate. It is nil for a server without TLS.
func (s *Server) TLS() *tls.Config {
	files := s.node.Config().TLS
	if files == nil {
		return nil
	}
	return files.Client.Clone()
}

// TLSFiles returns the PEM files of a server started with [TLS]: the authority, the
// certificate and its key.
func (s *Server) TLSFiles() (ca, cert, key string) {
	files := s.node.Config().TLS
	if files == nil {
		return "", "", ""
	}
	return files.CAFile, files.CertFile, files.KeyFile
}

// Do runs one command on a connection of its own and returns the RESP3 reply.
func (s *Server) Do(t testing.TB, args ...string) resp.Frame {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	reply, err := s.node.Do(ctx, args...)
	if err != nil {
		t.Fatalf("valkeytest: %s: %.200q: %v", s.Addr(), args, err)
	}
	return resp.Frame(reply)
}

// MustDo is Do for a command that has to succeed: a server's error fails the test.
func (s *Server) MustDo(t testing.TB, args ...string) resp.Frame {
	t.Helper()
	f := s.Do(t, args...)
	if f.IsError() {
		t.Fatalf("valkeytest: %s: %.200q: %s", s.Addr(), args, f.ErrorText())
	}
	return f
}

// Text runs a command that has to succeed and returns its scalar reply as text: the string,
// the number's digits, "" for null.
func (s *Server) Text(t testing.TB, args ...string) string {
	t.Helper()
	return local.Reply(s.MustDo(t, args...)).Text()
}

// Stop asks the server to end, as an operator would (SIGTERM), and returns when it has.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.must(t, "stop", s.node.Stop) }

// Kill ends the server at once (SIGKILL) and returns when it is gone.
func (s *Server) Kill(t testing.TB) { t.Helper(); s.must(t, "kill", s.node.Kill) }

// Start starts a server that is down again, on the same port, and returns when it answers.
// It is empty then; a cluster node rejoins its cluster by itself.
func (s *Server) Start(t testing.TB) { t.Helper(); s.must(t, "start", s.node.Start) }

// Pause freezes the server (SIGSTOP): connections stay open, the kernel still accepts new
// ones, and nothing answers.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.must(t, "pause", func(context.Context) error { return s.node.Pause() })
}

// Resume lets a paused server go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.must(t, "resume", func(context.Context) error { return s.node.Resume() })
}

// Running says whether the process is there; a paused one is.
func (s *Server) Running() bool { return s.node.Running() }

func (s *Server) must(t testing.TB, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := waiting(t)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatalf("valkeytest: %s %s: %v", what, s.Addr(), err)
	}
}

// waiting is not derived from the test's own context: that is done in cleanups already.
func waiting(testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), deadline)
}

// Eventually calls check until it returns nil, and fails the test with the last error when
// it has not after the package's deadline.
func Eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	end := time.Now().Add(deadline)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("valkeytest: waiting for %s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
