package acceptance

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

// patience bounds whatever a test waits for.
const patience = 60 * time.Second

// service is a running server, in process, and clients of it.
type service struct {
	client valkeybatchv1.BatchServiceClient
	health healthpb.HealthClient
	conn   *grpc.ClientConn
	logs   *logBuffer
	stop   func()
}

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start starts a server with flags as an operator gives them, on a socket of its own. It
// ends with the test, which prints the server's log when it has failed.
func start(t testing.TB, flags ...string) *service {
	t.Helper()
	dir, err := os.MkdirTemp("", "vb") // short: socket paths have little room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	target := "unix://" + filepath.Join(dir, "s")
	var usage bytes.Buffer
	command, err := config.Parse(append([]string{"--listen", target}, flags...), "test",
		config.Streams{Out: &usage, Err: &usage, Exit: func(int) {}})
	if err != nil {
		t.Fatalf("flags %q: %v", flags, err)
	}
	logs := &logBuffer{}
	srv, err := server.New(command.Serve, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	s := &service{
		client: valkeybatchv1.NewBatchServiceClient(conn),
		health: healthpb.NewHealthClient(conn),
		conn:   conn,
		logs:   logs,
	}
	s.stop = sync.OnceFunc(func() {
		conn.Close()
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
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the server logged:\n%s", logs)
		}
	})
	return s
}

// serve starts a server in front of a deployment and returns when it is healthy.
func serve(t testing.TB, seeds []string, flags ...string) *service {
	t.Helper()
	s := start(t, append([]string{"--valkey", strings.Join(seeds, ",")}, flags...)...)
	s.awaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	return s
}

// awaitHealth waits until the server as a whole has a health.
func (s *service) awaitHealth(t testing.TB, want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	valkeytest.Eventually(t, "health "+want.String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		got, err := s.health.Check(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			return err
		}
		if got.GetStatus() != want {
			return fmt.Errorf("health is %v", got.GetStatus())
		}
		return nil
	})
}
