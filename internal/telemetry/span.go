package telemetry

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/executor"
)

// maxChildren is the most children of one span. A batch of many rounds on many nodes says how
// many it had; the first tell the story.
const maxChildren = 256

// Span is the span of one batch that is traced.
type Span struct{ span trace.Span }

// Start begins the span of a batch whose request came at a time, by a method such as
// "/valkeybatch.v1.BatchService/ExecuteBatch". The span is nil for a batch that is not traced.
func (t *Tracer) Start(ctx context.Context, method string, at time.Time) (context.Context, *Span) {
	ctx, ok := t.sampled(ctx)
	if !ok {
		return ctx, nil
	}
	name := strings.TrimPrefix(method, "/")
	service, short, _ := strings.Cut(name, "/")
	ctx, span := t.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("rpc.system", "grpc"), attribute.String("rpc.service", service), attribute.String("rpc.method", short)))
	return context.WithValue(ctx, spanKey{}, span), &Span{span}
}

// spanKey is the key of a context for the span of its batch: the one in the caller's trace that
// OpenTelemetry finds there is not always this package's.
type spanKey struct{}

func spanOf(ctx context.Context) trace.Span {
	span, _ := ctx.Value(spanKey{}).(trace.Span)
	return span
}

// End ends the span of a batch with what its caller is told.
func (s *Span) End(atomic bool, commands int, err error) {
	code := status.Code(err)
	s.span.SetAttributes(
		attribute.Int("rpc.grpc.status_code", int(code)),
		attribute.Bool("valkeybatch.atomic", atomic),
		attribute.Int("valkeybatch.commands", commands),
	)
	if serverFault(code) {
		// Without the error's text, which may quote what is the caller's.
		s.span.SetStatus(otelcodes.Error, code.String())
	}
	s.span.End()
}

// serverFault reports whether a status makes a server's span a failed one, as OpenTelemetry's
// conventions for gRPC have it.
func serverFault(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	}
	return false
}

// Detailed implements executor.Observer.
func (t *Tracer) Detailed(ctx context.Context) bool { return spanOf(ctx) != nil }

// Executed implements executor.Observer: it gives the span of the batch its children.
func (t *Tracer) Executed(ctx context.Context, r *executor.Report) {
	span := spanOf(ctx)
	if span == nil {
		return
	}
	span.SetAttributes(
		attribute.Int("valkeybatch.failed_count", r.Failed),
		attribute.Int("valkeybatch.rounds", r.Rounds),
		attribute.Int("valkeybatch.sub_pipelines", len(r.Sends)),
		attribute.Int("valkeybatch.redirects.moved", r.Moved),
		attribute.Int("valkeybatch.redirects.ask", r.Asked),
	)
	for cause, n := range r.Retries {
		if n > 0 {
			span.SetAttributes(attribute.Int("valkeybatch.retries."+strings.ToLower(executor.Cause(cause).String()), n))
		}
	}
	for i := range r.Sends[:min(len(r.Sends), maxChildren)] {
		t.child(ctx, r, &r.Sends[i])
	}
}

// child makes the span of a sub-pipeline or a transaction.
func (t *Tracer) child(ctx context.Context, r *executor.Report, s *executor.Send) {
	name := "sub-pipeline"
	if r.Atomic {
		name = "transaction"
	}
	attributes := []attribute.KeyValue{
		attribute.String("db.system.name", "valkey"),
		attribute.Int("db.operation.batch.size", s.Commands),
		attribute.String("valkeybatch.node", s.Node),
		attribute.Int("valkeybatch.round", s.Round),
		attribute.String("valkeybatch.lane", s.Lane.String()),
		attribute.Bool("valkeybatch.replica", s.Replica),
		attribute.Int("valkeybatch.slots", s.Slots),
		attribute.Int("valkeybatch.bytes", s.Bytes),
		attribute.Int("valkeybatch.asking", s.Asking),
		attribute.Int("valkeybatch.redirected", s.Redirected),
		attribute.Float64("valkeybatch.queued_seconds", s.Queued().Seconds()),
	}
	if host, port, err := net.SplitHostPort(s.Node); err == nil {
		attributes = append(attributes, attribute.String("server.address", host))
		if n, err := strconv.Atoi(port); err == nil {
			attributes = append(attributes, attribute.Int("server.port", n))
		}
	}
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(s.Start), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	if s.Err != nil {
		span.SetStatus(otelcodes.Error, s.Err.Error()) // names the node and what became of the connection
	}
	span.End(trace.WithTimestamp(s.End))
}
