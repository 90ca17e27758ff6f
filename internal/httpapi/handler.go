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
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// The paths of the contract's methods.
const (
	pathExecuteBatch  = valkeybatchv1.BatchService_ExecuteBatch_FullMethodName
	pathStreamBatches = valkeybatchv1.BatchService_StreamBatches_FullMethodName
)

// api is the contract's methods as connect-go calls them.
type api struct {
	batches service.Handler
	stream  grpc.StreamServerInterceptor
	// execute carries out a batch of a call of its own, and onStream one of a stream.
	execute, onStream service.ExecuteFunc
	limits            Limits
	// requests counts bytes on their way in, and answers those of JSON on their way out.
	requests, answers *budget
	errors            *connect.ErrorWriter
}

// newHandler returns what serves every request, and the methods behind it.
func newHandler(cfg Config) (http.Handler, *api) {
	a := &api{
		batches:  cfg.Batches,
		stream:   cfg.Stream,
		execute:  service.Behind(cfg.Batches, cfg.Batch, pathExecuteBatch),
		onStream: service.Behind(cfg.Batches, cfg.Batch, pathStreamBatches),
		limits:   cfg.Limits,
		// A request within the limits must be taken when it is alone.
		requests: &budget{max: max(cfg.Limits.InFlightBytes, cfg.Limits.RequestBytes+service.MaxOverBytes)},
		answers:  &budget{max: cfg.Limits.InFlightReplyBytes},
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
	a.errors = connect.NewErrorWriter(options...)
	mux := http.NewServeMux()
	mux.Handle(pathExecuteBatch, connect.NewUnaryHandler(pathExecuteBatch, a.executeBatch, options...))
	mux.Handle(pathStreamBatches, connect.NewBidiStreamHandler(pathStreamBatches, a.streamBatches, options...))
	return allowOrigins(cfg.Origins, a.guarded(mux)), a
}

// executeBatch is the contract's method of that name.
func (a *api) executeBatch(ctx context.Context, in *connect.Request[batchRequest]) (*connect.Response[answer], error) {
	call := callOf(ctx)
	req := in.Msg.take()
	defer in.Msg.end()
	resp, err := a.execute(ctx, req)
	if err != nil {
		return nil, call.failed(err)
	}
	data, err := a.encode(call, resp, jsonOf(in.Header()), jsonExecuteBatchResponse)
	if err != nil {
		return nil, call.failed(err)
	}
	out := connect.NewResponse(&answer{data: data})
	call.headers(out.Header(), out.Trailer())
	return out, nil
}

// encode returns the bytes of a response. What they take is counted until the call lets go of it.
func (a *api) encode(call *call, resp *wire.Response, json bool, as *jsonMessage) ([]byte, error) {
	encoded, err := marshal(resp)
	if err != nil {
		return nil, err
	}
	if !json {
		call.hold(encoded.Free)
		return encoded.Materialize(), nil
	}
	defer encoded.Free()
	b := encoded.MaterializeToBuffer(pool)
	defer b.Free()
	w := jsonWriter{budget: a.answers}
	call.hold(func() { w.budget.give(w.paid) })
	return w.write(b.ReadOnlyData(), as)
}

// recovered logs a panic with its stack, of which callers see nothing.
func recovered(logger *slog.Logger) func(context.Context, connect.Spec, http.Header, any) error {
	return func(ctx context.Context, _ connect.Spec, _ http.Header, p any) error {
		logger.ErrorContext(ctx, "a call over HTTP met a defect", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		return connectError(service.Internal())
	}
}
