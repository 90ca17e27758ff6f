package server

import (
	"context"
	"sync/atomic"

	middleware "github.com/grpc-ecosystem/go-grpc-middleware/v2"
	"google.golang.org/grpc"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// otherStreams are the streams of all services but the product's own: health watches and
// reflection. They are bounded, since anyone may open them. Watches end when the server drains: they
// never end by themselves, and would hold every shutdown for as long as it may take.
type otherStreams struct {
	most     int64
	open     atomic.Int64
	draining context.Context
	drain    context.CancelFunc
}

func newOtherStreams(most int) *otherStreams {
	o := &otherStreams{most: int64(most)}
	o.draining, o.drain = context.WithCancel(context.Background())
	return o
}

// intercept is a grpc.StreamServerInterceptor.
func (o *otherStreams) intercept(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if info.FullMethod == valkeybatchv1.BatchService_StreamBatches_FullMethodName {
		return handler(srv, stream) // which counts and drains them itself
	}
	defer o.open.Add(-1)
	if open := o.open.Add(1); open > o.most {
		return service.Refusal(&service.OverloadError{What: "streams of other services", Setting: service.SettingStreams, Actual: open, Allowed: o.most})
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(o.draining, cancel)()
	ending := middleware.WrapServerStream(stream)
	ending.WrappedContext = ctx
	err := handler(srv, ending)
	if o.draining.Err() != nil && stream.Context().Err() == nil && err != nil {
		return service.Draining("the server is shutting down")
	}
	return err
}
