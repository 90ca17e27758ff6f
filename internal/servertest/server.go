package servertest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/server"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// patience bounds whatever is waited for.
const patience = 60 * time.Second

// Server is a running server and a connection to it. It ends with its test.
type Server struct {
	// Target is where it listens, as gRPC dials it.
	Target string
	Conn   *grpc.ClientConn
	Client valkeybatchv1.BatchServiceClient
	Health healthpb.HealthClient
	// Logs is what it logged.
	Logs *Log
	// Stop ends it before its test does.
	Stop func()
	// PID is the process that it runs in.
	PID int
}

// Log keeps what a server logs.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// socket returns a listen address of a test's own. Its path is short: sockets' have little room.
func socket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return config.UnixScheme + filepath.Join(dir, "s")
}

// Dial connects to a server, with no limits on messages of its own.
func Dial(t testing.TB, target string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Start starts a server with flags as an operator gives them, in the test's process. Its log is
// printed when the test has failed.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	target := socket(t)
	var usage bytes.Buffer
	command, err := config.Parse(append([]string{"--listen", target}, flags...), "test",
		config.Streams{Out: &usage, Err: &usage, Exit: func(int) {}})
	if err != nil {
		t.Fatalf("flags %q: %v", flags, err)
	}
	logs := &Log{}
	srv, err := server.New(command.Serve, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	s := connect(t, target, logs)
	s.PID = os.Getpid()
	s.Stop = sync.OnceFunc(func() {
		s.Conn.Close()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(s.end(t))
	return s
}

func connect(t testing.TB, target string, logs *Log) *Server {
	t.Helper()
	conn := Dial(t, target)
	return &Server{
		Target: target,
		Conn:   conn,
		Client: valkeybatchv1.NewBatchServiceClient(conn),
		Health: healthpb.NewHealthClient(conn),
		Logs:   logs,
	}
}

func (s *Server) end(t testing.TB) func() {
	return func() {
		s.Stop()
		if t.Failed() {
			text := s.Logs.String()
			t.Logf("the server logged:\n%s", text[max(0, len(text)-64<<10):])
		}
	}
}

// Serve starts a server in front of a deployment and returns when it is healthy.
func Serve(t testing.TB, seeds []string, flags ...string) *Server {
	t.Helper()
	s := Start(t, append([]string{"--valkey", strings.Join(seeds, ",")}, flags...)...)
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	return s
}

// AwaitHealth waits until the server as a whole has a health.
func (s *Server) AwaitHealth(t testing.TB, want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	valkeytest.Eventually(t, "health "+want.String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		got, err := s.Health.Check(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			return err
		}
		if got.GetStatus() != want {
			return fmt.Errorf("health is %v", got.GetStatus())
		}
		return nil
	})
}
