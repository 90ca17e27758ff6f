package service

import (
	"cmp"
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/stall"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// Handler carries out the calls of the contract's BatchService. [Service] is the one there is.
type Handler interface {
	// ReceiveCall begins a unary call: it receives its request. Its error is a status. EndCall ends
	// the call if there was none.
	ReceiveCall(ctx context.Context, req *wire.Request, decode func(any) error) error
	EndCall(req *wire.Request)
	// AwaitCall begins a unary call on a listener that receives by itself, before anything of the
	// request is read. Its error is a status; where there is none, end is called once, when the
	// request has arrived or is given up.
	AwaitCall(ctx context.Context) (end func(), err error)
	// ExecuteBatch carries out one call; its error is a status.
	ExecuteBatch(ctx context.Context, req *wire.Request) (*wire.Response, error)
	// StreamBatches carries out the batches of one stream, each by execute; its error is a status.
	StreamBatches(stream grpc.ServerStream, execute ExecuteFunc) error
}

// ExecuteFunc carries out one batch: [Handler.ExecuteBatch] behind its interceptors.
type ExecuteFunc func(ctx context.Context, req *wire.Request) (*wire.Response, error)

// Register registers h as the BatchService of a gRPC server that uses [wire.Codec]. It stands
// in for the generated registration, which decodes a request before anybody can look at it.
// Interceptors see a [*wire.Request] and a [*wire.Response]. A batch on a stream passes
// interceptor as one of a unary call passes the server's own; nil: none.
func Register(r grpc.ServiceRegistrar, h Handler, interceptor grpc.UnaryServerInterceptor) {
	r.RegisterService(describe(interceptor), h)
}

// describe is the generated code's description of the service, with methods that take requests
// as they come.
func describe(interceptor grpc.UnaryServerInterceptor) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: valkeybatchv1.BatchService_ServiceDesc.ServiceName,
		HandlerType: (*Handler)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "ExecuteBatch", Handler: new(unary).executeBatch}},
		Streams: []grpc.StreamDesc{{
			StreamName:    "StreamBatches",
			ServerStreams: true,
			ClientStreams: true,
			Handler: func(srv any, stream grpc.ServerStream) error {
				h := srv.(Handler)
				return h.StreamBatches(stream, intercepted(h, interceptor, valkeybatchv1.BatchService_StreamBatches_FullMethodName))
			},
		}},
		Metadata: valkeybatchv1.BatchService_ServiceDesc.Metadata,
	}
}

// unary is what the handler of unary calls knows of its server.
type unary struct {
	once    sync.Once
	execute ExecuteFunc
}

func (u *unary) executeBatch(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	req := wire.GetRequest()
	defer req.Release()
	h := srv.(Handler)
	if err := h.ReceiveCall(ctx, req, decode); err != nil {
		return nil, refused(ctx, h, req, interceptor, err)
	}
	defer h.EndCall(req)
	// The interceptor is the server's: the same for all calls.
	u.once.Do(func() {
		u.execute = intercepted(h, interceptor, valkeybatchv1.BatchService_ExecuteBatch_FullMethodName)
	})
	resp, err := u.execute(ctx, req)
	if err != nil {
		return nil, err
	}
	if resp.Long() {
		resp.Watch(stall.Of(ctx))
	}
	return resp, nil
}

// refused has a call whose request was not received pass the interceptor: it is counted and logged as
// others are, and callers who are not known are told that alone. Of one that breaks gRPC's own rules
// operators are told nothing, as where gRPC finds that out.
func refused(ctx context.Context, h Handler, req *wire.Request, interceptor grpc.UnaryServerInterceptor, why error) error {
	if interceptor == nil || status.Code(why) == codes.Internal {
		return why
	}
	info := &grpc.UnaryServerInfo{Server: h, FullMethod: valkeybatchv1.BatchService_ExecuteBatch_FullMethodName}
	_, err := interceptor(ctx, req, info, func(context.Context, any) (any, error) { return nil, why })
	return cmp.Or(err, why)
}

// intercepted returns h's ExecuteBatch behind an interceptor, which may be nil.
func intercepted(h Handler, interceptor grpc.UnaryServerInterceptor, method string) ExecuteFunc {
	if interceptor == nil {
		return h.ExecuteBatch
	}
	info := &grpc.UnaryServerInfo{Server: h, FullMethod: method}
	handler := func(ctx context.Context, in any) (any, error) {
		req := in.(*wire.Request)
		resp, err := h.ExecuteBatch(ctx, req)
		if err != nil {
			return nil, err // not a nil *wire.Response, which is an interface that is not nil
		}
		req.Response = resp
		return resp, nil
	}
	return func(ctx context.Context, req *wire.Request) (*wire.Response, error) {
		out, err := interceptor(ctx, req, info, handler)
		resp, ok := out.(*wire.Response)
		if made := req.Response; made != nil && (err != nil || resp != made) {
			made.Free() // an interceptor has put something else in its place
		}
		if err == nil && !ok {
			err = Internal()
		}
		if err != nil {
			return nil, err
		}
		return resp, nil
	}
}
