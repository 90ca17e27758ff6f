package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"connectrpc.com/connect"
	"google.golang.org/grpc"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// The paths of the contract's methods.
const (
	pathExecuteBatch  = valkeybatchv1.BatchService_ExecuteBatch_FullMethodName
	pathStreamBatches = valkeybatchv1.BatchService_StreamBatches_FullMethodName
)

// api is the contract's methods as connect-go calls them.
type api struct {
	batches service.Handler
	batch   grpc.UnaryServerInterceptor
	stream  grpc.StreamServerInterceptor
	// execute carries out a batch of a call of its own, and onStream one of a stream.
	execute, onStream service.ExecuteFunc
	limits            Limits
	// requests counts bytes on their way in, and answers those of JSON on their way out.
	requests, answers *budget
}

// newHandler returns what serves every request, and the methods behind it.
func newHandler(cfg Config) (http.Handler, *api) {
	answers := &budget{max: cfg.Limits.InFlightReplyBytes}
	encoding := encoder{cfg.Batches, answers}
	a := &api{
		batches:  cfg.Batches,
		batch:    cfg.Batch,
		stream:   cfg.Stream,
		execute:  service.Behind(encoding, cfg.Batch, pathExecuteBatch),
		onStream: service.Behind(encoding, cfg.Batch, pathStreamBatches),
		limits:   cfg.Limits,
		// A request within the limits must be taken when it is alone.
		requests: &budget{max: max(cfg.Limits.InFlightBytes, cfg.Limits.RequestBytes+service.MaxOverBytes)},
		answers:  answers,
	}
	options := []connect.HandlerOption{
		connect.WithCodec(&codec{api: a, name: "proto"}),
		connect.WithCodec(&codec{api: a, name: "json", json: true}),
		connect.WithCodec(&codec{api: a, name: "json; charset=utf-8", json: true}),
		// As gRPC's, this listener takes and gives nothing compressed: how long a message becomes
		// would be known too late.
		connect.WithCompression("gzip", nil, nil),
		connect.WithRecover(recovered(cfg.Logger)),
	}
	mux := http.NewServeMux()
	mux.Handle(pathExecuteBatch, connect.NewUnaryHandler(pathExecuteBatch, a.executeBatch,
		append(options[:len(options):len(options)], connect.WithRequestGate(a.begin))...))
	mux.Handle(pathStreamBatches, connect.NewBidiStreamHandler(pathStreamBatches, a.streamBatches, options...))
	return allowOrigins(cfg.Origins, a.guarded(mux)), a
}

// executeBatch is the contract's method of that name.
func (a *api) executeBatch(ctx context.Context, in *connect.Request[batchRequest]) (*connect.Response[answer], error) {
	call := callOf(ctx)
	call.arrived()
	req, end := in.Msg.take()
	defer end()
	resp, err := a.execute(ctx, req)
	if err != nil {
		return nil, call.failed(err)
	}
	data, free := answerOf(resp)
	call.hold(free)
	out := connect.NewResponse(&answer{data: data})
	call.headers(out.Header(), out.Trailer())
	return out, nil
}

// recovered logs a panic with its stack, of which callers see nothing.
func recovered(logger *slog.Logger) func(context.Context, connect.Spec, http.Header, any) error {
	return func(ctx context.Context, _ connect.Spec, _ http.Header, p any) error {
		logger.ErrorContext(ctx, "a call over HTTP met a defect", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		return connectError(service.Internal())
	}
}
