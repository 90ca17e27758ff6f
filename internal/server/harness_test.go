package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestMain(m *testing.M) { valkeytest.Main(m) }

// settings are valid settings on a free port of the loopback, as the command line gives them.
func settings(t testing.TB, args ...string) *config.Config {
	t.Helper()
	command, err := config.Parse(append([]string{"--listen=127.0.0.1:0"}, args...), "v0",
		config.Streams{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Exit: func(int) {}})
	if err != nil {
		t.Fatal(err)
	}
	return command.Serve
}

// running is a server that runs until stop is called or the test ends.
type running struct {
	*Server
	log  *log
	stop func() error // returns what Run returned
}

// log is a log that can be read while it is written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func run(t *testing.T, s *Server, l *log) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	var result error
	stop := func() error {
		once.Do(func() {
			cancel()
			select {
			case result = <-done:
			case <-time.After(60 * time.Second):
				result = errors.New("Run does not return")
			}
		})
		return result
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &running{Server: s, log: l, stop: stop}
}

func start(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	l := &log{}
	s, err := New(cfg, l.logger())
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s, l)
}

// dial connects to a server's listener.
func dial(t *testing.T, addr net.Addr) *grpc.ClientConn {
	t.Helper()
	target := "passthrough:///" + addr.String()
	if addr.Network() == "unix" {
		target = config.UnixScheme + addr.String()
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (r *running) client(t *testing.T) valkeybatchv1.BatchServiceClient {
	return valkeybatchv1.NewBatchServiceClient(dial(t, r.Addrs()[0]))
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func batch(commands ...[]string) *valkeybatchv1.ExecuteBatchRequest {
	out := &valkeybatchv1.Batch{}
	for _, args := range commands {
		out.Commands = append(out.Commands, &valkeybatchv1.Command{TextArgs: args})
	}
	return &valkeybatchv1.ExecuteBatchRequest{Batch: out}
}

func infoOf(t *testing.T, err error) *errdetails.ErrorInfo {
	t.Helper()
	st, _ := status.FromError(err)
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	t.Fatalf("no ErrorInfo in %v", st.Proto())
	return nil
}

func healthOf(t *testing.T, conn *grpc.ClientConn, service string) healthpb.HealthCheckResponse_ServingStatus {
	t.Helper()
	answer, err := healthpb.NewHealthClient(conn).Check(testContext(t), &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatalf("%q: %v", service, err)
	}
	return answer.GetStatus()
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
