package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
	"github.com/valkeybatch/valkeybatch/internal/server"
)

// Service is a running server and a connection to it.
type Service struct {
	conn   *grpc.ClientConn
	client pb.BatchServiceClient
	health healthpb.HealthClient
	dir    string
	cancel context.CancelFunc
	ended  chan error
	logs   *tail
	once   sync.Once
	err    error
	kind   bool // a cluster
}

// Start starts the server in front of a deployment, whether or not that is up.
func Start(o subject.Options, flags ...string) (*Service, error) {
	dir, err := os.MkdirTemp("", "vb") // short: socket paths have little room
	if err != nil {
		return nil, err
	}
	target := "unix://" + filepath.Join(dir, "s")
	var said bytes.Buffer
	args := append([]string{"--listen", target, "--valkey", strings.Join(o.Seeds, ","), "--drain-timeout", "10s"}, flags...)
	command, err := config.Parse(args, "faults", config.Streams{Out: &said, Err: &said, Exit: func(int) {}})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	logs := &tail{}
	srv, err := server.New(command.Serve, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{dir: dir, cancel: cancel, ended: make(chan error, 1), logs: logs, kind: o.Cluster}
	go func() { s.ended <- srv.Run(ctx) }()
	s.conn, err = grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.client, s.health = pb.NewBatchServiceClient(s.conn), healthpb.NewHealthClient(s.conn)
	return s, nil
}

// AwaitHealth waits until the server says that the deployment is well, or is not.
func (s *Service) AwaitHealth(ctx context.Context, serving bool) error {
	for {
		got, err := s.health.Check(ctx, &healthpb.HealthCheckRequest{})
		if err == nil && (got.GetStatus() == healthpb.HealthCheckResponse_SERVING) == serving {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for health: it is %v; %w; the server logged:\n%s", got.GetStatus(), errors.Join(ctx.Err(), err), s.logs)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Log is the end of what the server logged.
func (s *Service) Log() string { return s.logs.String() }

// Close drains the server and returns when it has ended.
func (s *Service) Close() error {
	s.once.Do(func() {
		if s.conn != nil {
			_ = s.conn.Close()
		}
		s.cancel()
		select {
		case s.err = <-s.ended:
		case <-time.After(time.Minute):
			s.err = errors.New("the server does not end")
		}
		s.err = errors.Join(s.err, os.RemoveAll(s.dir))
	})
	return s.err
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const maxTail = 64 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b = append(t.b, p...); len(t.b) > 2*maxTail {
		t.b = append(t.b[:0], t.b[len(t.b)-maxTail:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
