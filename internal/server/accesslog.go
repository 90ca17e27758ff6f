package server

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// accessLog writes a line for a share of all batches, whatever came of them.
type accessLog struct {
	logger *slog.Logger
	share  float64
	// identity names the caller; nil, or an empty name: nobody asked who it is.
	identity func(context.Context) string
}

// sampledKey marks the context of a batch that leaves a line.
type sampledKey struct{}

// begin decides whether a batch leaves a line.
func (a *accessLog) begin(ctx context.Context) context.Context {
	if a.share < 1 && rand.Float64() >= a.share {
		return ctx
	}
	// Other log lines of the batch are to have the same id.
	return context.WithValue(withRequestID(ctx), sampledKey{}, true)
}

// end writes the line of a batch that leaves one. Of what commands and replies hold it shows
// nothing, and of an error its reason alone: its text may quote arguments.
func (a *accessLog) end(ctx context.Context, method string, request *wire.Request, size wire.Size, err error, took time.Duration) {
	if ctx.Value(sampledKey{}) == nil {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("request_id", requestIDOf(ctx)))
	if a.identity != nil {
		if who := a.identity(ctx); who != "" {
			attrs = append(attrs, slog.String("identity", who))
		}
	}
	if from, ok := peer.FromContext(ctx); ok && from.Addr != nil {
		attrs = append(attrs, slog.String("peer", from.Addr.String()))
	}
	attrs = append(attrs,
		slog.String("method", method),
		slog.String("mode", modeOf(size.Atomic)),
		slog.Int("commands", size.Commands),
		slog.Int64("request_bytes", size.CommandBytes),
		slog.String("status", status.Code(err).String()),
	)
	if err != nil {
		if reason := reasonOf(err); reason != "" {
			attrs = append(attrs, slog.String("reason", reason))
		}
	} else if request.Response != nil {
		attrs = append(attrs, slog.Uint64("failed_count", uint64(request.Response.Failed)), slog.Int("response_bytes", request.Response.Size()))
	}
	attrs = append(attrs, slog.Duration("duration", took))
	a.logger.LogAttrs(ctx, slog.LevelInfo, "batch", attrs...)
}

// modeOf names what kind of batch it is.
func modeOf(atomic bool) string {
	if atomic {
		return "atomic"
	}
	return "pipeline"
}
