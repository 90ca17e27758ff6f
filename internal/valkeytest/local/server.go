package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// DefaultBinary is the server that runs unless a Config names another.
const DefaultBinary = "valkey-server"

// Config says how a server is started. The zero value is a standalone valkey-server on a
// free port.
type Config struct {
	Binary     string   // DefaultBinary when empty; looked up in PATH
	Args       []string // further command line arguments; they win over this package's own
	Port       int      // 0: a free one
	Password   string   // requirepass, and what this package's own connections authenticate with
	TLS        *TLS     // nil: plain TCP
	UnixSocket bool     // also listen on a unix socket
	Cluster    bool     // cluster-enabled
}

// Server is one server process. Its methods are safe for concurrent use.
type Server struct {
	config Config
	dir    string
	port   *reservation

	mu      sync.Mutex
	proc    *process // nil or ended when the server is down
	onClose []func() error
}

// Start starts a server and returns when it answers.
func Start(ctx context.Context, config Config) (*Server, error) {
	if config.Binary == "" {
		config.Binary = DefaultBinary
	}
	if _, err := exec.LookPath(config.Binary); err != nil {
		return nil, fmt.Errorf("%s is not installed (scripts/install-valkey.sh installs it): %w", config.Binary, err)
	}
	dir, err := os.MkdirTemp("", "valkeytest-")
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, dir: dir}
	for attempt := 1; ; attempt++ {
		err := s.startOnPort(ctx)
		if err == nil {
			return s, nil
		}
		// Somebody else may have taken the port between the check and the bind.
		if !errors.Is(err, syscall.EADDRINUSE) || config.Port != 0 || attempt == 10 {
			return nil, errors.Join(err, s.Close())
		}
		s.port.release()
	}
}

func (s *Server) startOnPort(ctx context.Context) error {
	var err error
	if s.config.Port != 0 {
		s.port, err = reserve(s.config.Port)
	} else {
		s.port, err = reservePort()
	}
	if err != nil {
		return err
	}
	return s.Start(ctx)
}

// Start starts a server that is down again, on the same port and with the same arguments,
// and returns when it answers. Its data is gone; a cluster node still knows its cluster.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil && s.proc.running() {
		return errors.New("the server is already running")
	}
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	size, err := log.Seek(0, 2)
	if err != nil {
		return err
	}
	cmd := exec.Command(s.config.Binary, s.args()...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = log, log
	if s.proc, err = startProcess(cmd); err != nil {
		return err
	}
	if err := s.waitReady(ctx, s.proc); err != nil {
		_ = s.signal(syscall.SIGKILL)
		<-s.proc.done
		said := s.logFrom(size)
		if bytes.Contains(said, []byte("Address already in use")) {
			err = fmt.Errorf("%w: %w", err, syscall.EADDRINUSE)
		}
		return fmt.Errorf("%s did not start: %w; it said:\n%s", s.config.Binary, err, tail(said))
	}
	return nil
}

func (s *Server) args() []string {
	port := strconv.Itoa(s.port.port)
	a := []string{
		"--bind", "127.0.0.1",
		"--dir", s.dir,
		"--daemonize", "no",
		"--save", "",
		"--appendonly", "no",
		"--enable-debug-command", "yes",
		"--enable-protected-configs", "yes",
		"--repl-diskless-sync", "yes",
		"--repl-diskless-sync-delay", "0",
		"--repl-ping-replica-period", "1", // a new primary's offset is 0, and its replica "loading", until the first
		"--shutdown-timeout", "0",
	}
	if t := s.config.TLS; t != nil {
		a = append(a, "--port", "0", "--tls-port", port,
			"--tls-cert-file", t.CertFile, "--tls-key-file", t.KeyFile, "--tls-ca-cert-file", t.CAFile,
			"--tls-auth-clients", "optional", "--tls-replication", "yes", "--tls-cluster", "yes")
	} else {
		a = append(a, "--port", port)
	}
	if s.config.UnixSocket {
		a = append(a, "--unixsocket", s.SocketPath())
	}
	if p := s.config.Password; p != "" {
		a = append(a, "--requirepass", p, "--masterauth", p)
	}
	if s.config.Cluster {
		a = append(a, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
	}
	return append(a, s.config.Args...)
}

// waitReady returns when the server answers, with anything: a -NOAUTH is an answer too.
func (s *Server) waitReady(ctx context.Context, p *process) error {
	for {
		if reply, err := s.ping(ctx); err == nil && !strings.HasPrefix(reply, "LOADING") {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended at once: %w", errors.Join(errors.New("process exited"), p.err))
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) ping(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	reply, err := c.Do(ctx, "PING")
	return reply.Text(), err
}

// Addr returns host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port())) }

// Port returns the port that the server listens on.
func (s *Server) Port() int { return s.port.port }

// Dir returns the server's own directory; Close removes it.
func (s *Server) Dir() string { return s.dir }

// SocketPath returns the path of the unix socket that Config.UnixSocket asks for.
func (s *Server) SocketPath() string { return filepath.Join(s.dir, "s.sock") }

// Config returns what the server was started with.
func (s *Server) Config() Config { return s.config }

// Dial opens a connection to the server, authenticated where it asks for a password.
func (s *Server) Dial(ctx context.Context) (*Client, error) { return s.dial(ctx) }

func (s *Server) dial(ctx context.Context) (*Client, error) {
	o := DialOptions{Password: s.config.Password}
	if s.config.TLS != nil {
		o.TLS = s.config.TLS.Client
	}
	return Dial(ctx, s.Addr(), o)
}

// Do runs one command on a connection of its own. A server's error is a reply.
func (s *Server) Do(ctx context.Context, args ...string) (Reply, error) {
	c, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(ctx, args...)
}

// MustOK runs one command and makes a server's error an error.
func (s *Server) MustOK(ctx context.Context, args ...string) (Reply, error) {
	reply, err := s.Do(ctx, args...)
	if err == nil {
		err = reply.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s.Addr(), strings.Join(args, " "), err)
	}
	return reply, nil
}

// Running says whether the process is there (a paused one is).
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc != nil && s.proc.running()
}

// PID returns the process id, 0 when the server is down.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil || !s.proc.running() {
		return 0
	}
	return s.proc.cmd.Process.Pid
}

// Done is closed when the process that runs now has ended; nil when none was ever started.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	return s.proc.done
}

// Stop asks the server to end (SIGTERM, no saving) and returns when it has.
func (s *Server) Stop(ctx context.Context) error {
	_ = s.Resume() // a stopped process handles no signal
	return s.end(ctx, syscall.SIGTERM)
}

// Kill ends the server at once (SIGKILL) and returns when it is gone.
func (s *Server) Kill(ctx context.Context) error { return s.end(ctx, syscall.SIGKILL) }

func (s *Server) end(ctx context.Context, sig syscall.Signal) error {
	done := s.Done()
	if done == nil {
		return nil
	}
	if err := s.lockedSignal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Pause freezes the server (SIGSTOP): connections stay open and nothing answers.
func (s *Server) Pause() error { return s.lockedSignal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.lockedSignal(syscall.SIGCONT) }

func (s *Server) lockedSignal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signal(sig)
}

func (s *Server) signal(sig syscall.Signal) error {
	if s.proc == nil {
		return os.ErrProcessDone
	}
	return s.proc.cmd.Process.Signal(sig)
}

// OnClose has Close call f after the process is gone.
func (s *Server) OnClose(f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onClose = append(s.onClose, f)
}

// Close kills the process, frees the port and removes the directory.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.Kill(ctx)
	if s.port != nil {
		s.port.release()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.onClose {
		err = errors.Join(err, f())
	}
	s.onClose = nil
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "server.log") }

// LogTail returns the last lines that the server logged.
func (s *Server) LogTail() string { return tail(s.logFrom(0)) }

func (s *Server) logFrom(offset int64) []byte {
	b, err := os.ReadFile(s.logPath())
	if err != nil {
		return []byte(err.Error())
	}
	return b[min(int(offset), len(b)):]
}

// tail keeps the last 2000 bytes, from the start of a line where there is one.
func tail(b []byte) string {
	if len(b) > 2000 {
		b = b[len(b)-2000:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return string(b)
}
