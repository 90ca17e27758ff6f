package service

import (
	"context"

	"google.golang.org/grpc"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// Handler carries out the calls of the contract's BatchService. [Service] is the one there is.
type Handler interface {
	// ExecuteBatch carries out one call; its error is a status.
	ExecuteBatch(ctx context.Context, req *Request) (*valkeybatchv1.ExecuteBatchResponse, error)
}

// Register registers h as the BatchService of a gRPC server that uses [Codec]. It stands in
// for the generated registration, which decodes a request before anybody can look at it.
// Interceptors see a [*Request] and the contract's response.
func Register(r grpc.ServiceRegistrar, h Handler) { r.RegisterService(&description, h) }

// description is the generated code's description of the service, with methods that take
// requests as they come.
var description = grpc.ServiceDesc{
	ServiceName: valkeybatchv1.BatchService_ServiceDesc.ServiceName,
	HandlerType: (*Handler)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "ExecuteBatch", Handler: executeBatch}},
	Streams:     []grpc.StreamDesc{},
	Metadata:    valkeybatchv1.BatchService_ServiceDesc.Metadata,
}

func executeBatch(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	req := &Request{}
	if err := decode(req); err != nil {
		return nil, err
	}
	defer req.release()
	handler := func(ctx context.Context, req any) (any, error) {
		return srv.(Handler).ExecuteBatch(ctx, req.(*Request))
	}
	var answer any
	var err error
	if interceptor == nil {
		answer, err = handler(ctx, req)
	} else {
		info := &grpc.UnaryServerInfo{Server: srv, FullMethod: valkeybatchv1.BatchService_ExecuteBatch_FullMethodName}
		answer, err = interceptor(ctx, req, info, handler)
	}
	if message, ok := answer.(*valkeybatchv1.ExecuteBatchResponse); ok && err == nil {
		return &response{message: message, lease: req.lease}, nil
	}
	req.lease.end()
	return answer, err
}
