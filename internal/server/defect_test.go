package server

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// faulty is a service on whose streams a goroutine panics.
type faulty struct {
	*service.Service
	receiving bool // else the one that carries out a batch
}

func (f faulty) StreamBatches(stream grpc.ServerStream, execute service.ExecuteFunc) error {
	if f.receiving {
		stream = panicking{stream}
	} else {
		execute = func(context.Context, *wire.Request) (*wire.Response, error) { panic("secret of the worker") }
	}
	return f.Service.StreamBatches(stream, execute)
}

// panicking is a stream that has no transport to be read from directly, and panics when it is read.
type panicking struct{ grpc.ServerStream }

func (p panicking) Context() context.Context {
	return grpc.NewContextWithServerTransportStream(p.ServerStream.Context(), nil)
}

func (panicking) RecvMsg(any) error { panic("secret of the receiver") }

// TestPanicOnStream: a panic in a goroutine of a stream ends that stream, is logged, and others
// are served.
func TestPanicOnStream(t *testing.T) {
	for name, receiving := range map[string]bool{"worker": false, "receiver": true} {
		t.Run(name, func(t *testing.T) {
			cfg, l := settings(t), &log{}
			listeners, err := listen(cfg.Listen)
			if err != nil {
				t.Fatal(err)
			}
			backend, err := newBackend(cfg, l.logger(), nil)
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, assemble(cfg, l.logger(), listeners, backend, faulty{backend.service, receiving}, security{}, nil, &instruments{}), l)
			for range 2 {
				s := r.stream(t, testContext(t))
				// The receiver's stream may have ended by then.
				_ = s.Send(&valkeybatchv1.StreamBatchesRequest{Id: 1, Request: batch([]string{"PING"})})
				_, err := s.Recv()
				if status.Code(err) != codes.Internal || infoOf(t, err).GetReason() != "INTERNAL" || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v", err)
				}
			}
			if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"PING"})); err != nil {
				t.Error(err)
			}
			if !strings.Contains(l.String(), "secret of the "+name) {
				t.Errorf("the log says nothing of it: %s", l)
			}
		})
	}
}
