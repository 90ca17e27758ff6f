//go:build examples

package examples

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// startFront puts a front before the server at an address, which refuses the first batch as a
// server at its load does and passes on everything else. A program that gets to its end through
// it has sent that batch again. With a lie it tells that instead of what the server says.
func startFront(t *testing.T, server string, lie *lie) string {
	t.Helper()
	upstream, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { upstream.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var refused atomic.Bool
	front := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(
		func(_ any, caller grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(caller)
			if method == valkeybatchv1.BatchService_ExecuteBatch_FullMethodName && refused.CompareAndSwap(false, true) {
				return overloaded()
			}
			err := pass(caller, upstream, method)
			if err == nil || lie == nil || method != valkeybatchv1.BatchService_ExecuteBatch_FullMethodName || lie.at.Add(-1) != 0 {
				return err
			}
			if lie.success {
				return caller.SendMsg(new([]byte)) // a response without results
			}
			return status.Error(status.Code(err), "as something between the two says it, without a detail")
		}))
	ended := make(chan error, 1)
	go func() { ended <- front.Serve(listener) }()
	t.Cleanup(func() {
		front.Stop()
		if err := <-ended; err != nil {
			t.Errorf("the front ended with %v", err)
		}
		if !refused.Load() {
			t.Error("the program sent no batch")
		}
	})
	return listener.Addr().String()
}

// lie is what a front says of one call that fails: that it succeeded, or the same code without the
// service's details.
type lie struct {
	at      atomic.Int32 // which of the calls that fail
	success bool
}

// overloaded is the status of a batch that the server refuses because it is at its load.
func overloaded() error {
	s, err := status.New(codes.ResourceExhausted, "too many batches in flight").WithDetails(
		&errdetails.ErrorInfo{Reason: service.ReasonOverloaded, Domain: service.Domain},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(100 * time.Millisecond)})
	if err != nil {
		return err
	}
	return s.Err()
}

// pass passes a call on, message by message, and returns the status that it ends with.
func pass(caller grpc.ServerStream, upstream *grpc.ClientConn, method string) error {
	ctx, cancel := context.WithCancel(caller.Context())
	defer cancel()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, md.Copy())
	}
	call, err := upstream.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodec(rawCodec{}))
	if err != nil {
		return err
	}
	// Ends with the call, at the latest when its caller's messages cannot be received any more.
	go func() {
		for {
			var message []byte
			if err := caller.RecvMsg(&message); err != nil {
				if errors.Is(err, io.EOF) {
					_ = call.CloseSend() // never fails
				}
				return
			}
			if err := call.SendMsg(&message); err != nil {
				return // call.RecvMsg has the reason
			}
		}
	}()
	for {
		var message []byte
		if err := call.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := caller.SendMsg(&message); err != nil {
			return err
		}
	}
}

// rawCodec leaves messages as they are on the wire.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	message, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("a message is a %T", v)
	}
	return *message, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message is to be a %T", v)
	}
	*message = append([]byte(nil), data...)
	return nil
}
