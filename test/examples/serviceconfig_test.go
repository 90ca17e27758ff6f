package examples

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/examples"
	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/server"
)

// generous bounds what a test waits for.
const generous = time.Minute

// A call that finds no server waits for it, instead of failing with an UNAVAILABLE of which
// nobody knows whether it may be sent again.
func TestCallsWaitForTheServer(t *testing.T) {
	for name, config := range map[string]string{"safe": examples.ServiceConfig, "repeatable": examples.RepeatableServiceConfig} {
		t.Run(name, func(t *testing.T) {
			socket := socketPath(t)
			conn := dial(t, "unix://"+socket, config)
			client := valkeybatchv1.NewBatchServiceClient(conn)
			ctx, cancel := context.WithTimeout(t.Context(), generous)
			defer cancel()

			called := make(chan error, 1)
			go func() {
				_, err := client.ExecuteBatch(ctx, batch("SET", "k", "v"))
				called <- err
			}()
			opened := make(chan error, 1)
			go func() { opened <- stream(ctx, client, "SET", "k", "v") }()
			for state := conn.GetState(); state != connectivity.TransientFailure; state = conn.GetState() {
				if !conn.WaitForStateChange(ctx, state) {
					t.Fatalf("the connection stays %v", state)
				}
			}
			serve(t, socket)
			if err := <-called; err != nil {
				t.Errorf("the call ends with %v", err)
			}
			if err := <-opened; err != nil {
				t.Errorf("the stream ends with %v", err)
			}
		})
	}
}

// A batch that ran while its connection was lost is sent again only for callers who have said
// that theirs may run twice. A retryPolicy cannot tell it from one that did not run.
func TestLostConnection(t *testing.T) {
	for _, c := range []struct {
		name, config string
		streamed     bool
		code         codes.Code
		runs         string
	}{
		{"safe, a call", examples.ServiceConfig, false, codes.Unavailable, "1"},
		{"safe, a stream", examples.ServiceConfig, true, codes.Unavailable, "1"},
		{"repeatable, a call", examples.RepeatableServiceConfig, false, codes.OK, "2"},
		{"repeatable, a stream", examples.RepeatableServiceConfig, true, codes.Unavailable, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := socketPath(t)
			serve(t, socket)
			direct := valkeybatchv1.NewBatchServiceClient(dial(t, "unix://"+socket, examples.ServiceConfig))
			way := newLink(t, socket)
			client := valkeybatchv1.NewBatchServiceClient(dial(t, way.address(), c.config))
			ctx, cancel := context.WithTimeout(t.Context(), generous)
			defer cancel()
			if _, err := client.ExecuteBatch(ctx, batch("SET", "connected", "yes")); err != nil {
				t.Fatal(err)
			}

			way.holding.Store(true)
			called := make(chan error, 1)
			go func() {
				if c.streamed {
					called <- stream(ctx, client, "INCR", "runs")
					return
				}
				_, err := client.ExecuteBatch(ctx, batch("INCR", "runs"))
				called <- err
			}()
			for value(ctx, t, direct, "runs") == "" {
				time.Sleep(10 * time.Millisecond)
			}
			way.cut()

			err := <-called
			if s := status.Convert(err); s.Code() != c.code || len(s.Details()) != 0 {
				t.Errorf("the call ends with %v and details %v, want %v without any", err, s.Details(), c.code)
			}
			if runs := value(ctx, t, direct, "runs"); runs != c.runs {
				t.Errorf("the batch ran %s times, want %s", runs, c.runs)
			}
		})
	}
}

// socketPath returns a path for a unix socket; those of t.TempDir are too long.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// serve starts the server on its embedded store. It ends with the test.
func serve(t *testing.T, socket string) {
	t.Helper()
	var usage bytes.Buffer
	command, err := config.Parse([]string{"--listen", "unix://" + socket}, "test",
		config.Streams{Out: &usage, Err: &usage, Exit: func(int) {}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(command.Serve, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
}

// dial makes a client with a service config and nothing else of its own.
func dial(t *testing.T, target, config string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// batch is a batch of one command.
func batch(args ...string) *valkeybatchv1.ExecuteBatchRequest {
	return &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{Commands: []*valkeybatchv1.Command{{TextArgs: args}}}}
}

// stream sends a batch of one command on a stream and returns when it is answered.
func stream(ctx context.Context, client valkeybatchv1.BatchServiceClient, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := client.StreamBatches(ctx)
	if err != nil {
		return err
	}
	if err := s.Send(&valkeybatchv1.StreamBatchesRequest{Id: 1, Request: batch(args...)}); err != nil {
		return err
	}
	_, err = s.Recv()
	return err
}

// value returns what GET gives for a key, "" when there is nothing.
func value(ctx context.Context, t *testing.T, client valkeybatchv1.BatchServiceClient, key string) string {
	t.Helper()
	response, err := client.ExecuteBatch(ctx, batch("GET", key))
	if err != nil {
		t.Fatal(err)
	}
	return response.GetResults()[0].GetStringValue()
}
