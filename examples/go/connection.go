package main

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/examples"
)

// maxReply is the largest response that this client takes. gRPC's own limit is 4 MiB; a batch
// whose replies are larger has run and fails in the client all the same.
const maxReply = 64 << 20

// dial opens a connection. Its service config is safe for all batches: calls wait for a server
// that cannot be reached, and nothing that may have run is sent again.
func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(examples.ServiceConfig),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)),
		grpc.WithUnaryInterceptor(sendAgain),
	)
}

// sendAgain repeats calls that the service asks to repeat. It gives a RetryInfo only when
// nothing of the batch has run (it was at its load, or the deployment was out of reach), which
// no status code says by itself: UNAVAILABLE is also what gRPC makes of a lost connection.
func sendAgain(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	for {
		err := call(ctx, method, req, reply, conn, opts...)
		info := retryInfo(err)
		if info == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err // the last word of the service says more than "context deadline exceeded"
		case <-time.After(info.GetRetryDelay().AsDuration()):
		}
	}
}

// retryInfo returns the RetryInfo of a call's error, nil when it has none.
func retryInfo(err error) *errdetails.RetryInfo {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info
		}
	}
	return nil
}
