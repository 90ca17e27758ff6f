package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// heldExporter sends nothing before it is let.
type heldExporter struct {
	begun, let chan struct{}
	err        error
	sent       int
}

func (e *heldExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	select {
	case e.begun <- struct{}{}:
	default:
	}
	<-e.let
	e.sent += len(spans)
	return e.err
}

func (e *heldExporter) Shutdown(context.Context) error { return nil }

// TestSpansLost: of spans none is lost without being counted and logged, and none that is sent counts.
func TestSpansLost(t *testing.T) {
	const room, ended = 1000, 2500
	for _, err := range []error{nil, errors.New("refused")} {
		exporter := &heldExporter{begun: make(chan struct{}, 1), let: make(chan struct{}), err: err}
		var log bytes.Buffer
		q := newSpanQueue(exporter, room, slog.New(slog.NewTextHandler(&log, nil)))
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(q))
		tracer := &Tracer{provider: provider, spans: q}
		for i := range ended {
			_, span := provider.Tracer("").Start(t.Context(), "span")
			span.End()
			if i == room/2+100 { // a batch of the exporter's is complete: it holds that one
				<-exporter.begun
			}
		}
		if waiting, sending := tracer.Lost(); waiting != ended-room || sending != 0 {
			t.Errorf("%d and %d spans are lost, want %d and 0", waiting, sending, ended-room)
		}
		if n := strings.Count(log.String(), "spans are dropped"); n != 1 {
			t.Errorf("%d lines: %s", n, &log)
		}
		close(exporter.let)
		tracer.Close()
		want := uint64(0)
		if err != nil {
			want = room
		}
		if waiting, sending := tracer.Lost(); exporter.sent != room || waiting != ended-room || sending != want {
			t.Errorf("%v: %d are sent, %d and %d lost", err, exporter.sent, waiting, sending)
		}
	}
}
