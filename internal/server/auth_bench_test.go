package server

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// BenchmarkSmallBatch measures what telling callers apart costs a batch of one command, and one
// of 1,000.
func BenchmarkSmallBatch(b *testing.B) {
	valkey := valkeytest.StartServer(b)
	token, line := auth.NewToken()
	path := filepath.Join(b.TempDir(), "auth.yaml")
	text := "identities:\n  - {name: a, tokens: [" + line + "], allow-command: ['@read', '@write'], deny-command: ['@dangerous'], keys: ['k*', '%R~x*']}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, size := range []struct {
		name     string
		commands int
	}{{"1", 1}, {"1000", 1000}} {
		for _, mode := range []struct {
			name string
			args []string
		}{{"open", nil}, {"token", []string{"--auth-file=" + path}}} {
			b.Run(size.name+"/"+mode.name, func(b *testing.B) {
				cfg := settings(b, append(mode.args, "--valkey="+valkey.Addr())...)
				s, err := New(cfg, slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				defer func() { cancel(); <-done }()
				conn, err := grpc.NewClient("passthrough:///"+s.Addrs()[0].String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				client := valkeybatchv1.NewBatchServiceClient(conn)
				req := &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{}}
				for range size.commands {
					req.Batch.Commands = append(req.Batch.Commands, &valkeybatchv1.Command{Args: [][]byte{[]byte("GET"), []byte("k")}})
				}
				call := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
				for b.Loop() {
					if _, err := client.ExecuteBatch(call, req); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
