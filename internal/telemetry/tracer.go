package telemetry

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

// ServiceName is the service.name of all spans, unless OTEL_SERVICE_NAME or
// OTEL_RESOURCE_ATTRIBUTES say otherwise.
const ServiceName = "valkeybatch-server"

// closeTimeout is how long Close may take to send what is left.
const closeTimeout = 3 * time.Second

// TraceConfig is what a Tracer works with.
type TraceConfig struct {
	// Endpoint is the OTLP/gRPC collector: http://host:port, or https://host:port for TLS.
	Endpoint string
	// Share is the share of batches that are traced of those that come without a trace.
	Share float64
	// Version is the version of the program.
	Version string
	// Logger takes what goes wrong with sending.
	Logger *slog.Logger
}

// Tracer makes a span of each batch that is to be traced, with a child for each sub-pipeline of
// each round. Which batches are is decided before anything is made: of the caller's trace
// (traceparent, https://www.w3.org/TR/trace-context/) its sampled flag, else chance. A batch that
// is not traced costs a look at its metadata. A Tracer must be closed.
type Tracer struct {
	share    float64
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	spans    *spanQueue
	close    sync.Once
}

// NewTracer returns a Tracer. The collector need not be reachable: spans are sent behind the
// batches' backs, and dropped when they cannot be, which is logged and counted.
func NewTracer(cfg TraceConfig) (*Tracer, error) {
	exporter, err := otlptracegrpc.New(context.Background(), otlptracegrpc.WithEndpointURL(cfg.Endpoint))
	if err != nil {
		return nil, err
	}
	about, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", ServiceName), attribute.String("service.version", cfg.Version)),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		cfg.Logger.Warn("not all resource attributes of traces could be read", "error", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { cfg.Logger.Warn("traces cannot be sent", "error", err) }))
	spans := newSpanQueue(exporter, maxSpans, cfg.Logger)
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(spans), sdktrace.WithResource(about), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	return &Tracer{share: cfg.Share, provider: provider, tracer: provider.Tracer("github.com/valkeybatch/valkeybatch"), spans: spans}, nil
}

// Lost returns how many spans were dropped because too many waited to be sent, and how many could
// not be sent. A nil Tracer has lost none.
func (t *Tracer) Lost() (waiting, sending uint64) {
	if t == nil {
		return 0, 0
	}
	return t.spans.full.Load(), t.spans.failed.Load()
}

// Close sends what is left, for a moment, and ends the Tracer. It may be called more than once.
func (t *Tracer) Close() {
	t.close.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = t.provider.Shutdown(ctx) // what goes wrong is logged by the error handler
	})
}

var propagator propagation.TraceContext

// sampled decides whether a batch is traced, and returns a context with its caller's trace.
func (t *Tracer) sampled(ctx context.Context) (context.Context, bool) {
	if len(metadata.ValueFromIncomingContext(ctx, "traceparent")) > 0 {
		with := propagator.Extract(ctx, carrier{ctx})
		if parent := trace.SpanContextFromContext(with); parent.IsValid() {
			return with, parent.IsSampled()
		}
	}
	return ctx, t.share > 0 && rand.Float64() < t.share
}

// carrier gives the propagator the metadata of a call.
type carrier struct{ ctx context.Context }

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string {
	if values := metadata.ValueFromIncomingContext(c.ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set implements propagation.TextMapCarrier; nothing is ever set.
func (c carrier) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string { return propagator.Fields() }
