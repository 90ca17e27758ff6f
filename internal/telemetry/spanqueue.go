package telemetry

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	// maxSpans is how many spans may wait to be sent: those of some sixty batches of as many
	// sub-pipelines as have spans, which end within a moment.
	maxSpans = 16 << 10
	// betweenFullLogs is the least time between two lines that say that more were waiting.
	betweenFullLogs = 10 * time.Second
)

// spanQueue is OpenTelemetry's batch processor with a count of what it drops: it has none itself.
// It takes a span only where that one has room for it.
type spanQueue struct {
	sdktrace.SpanProcessor
	max    int64
	logger *slog.Logger

	waiting      atomic.Int64
	full, failed atomic.Uint64
	logged       atomic.Int64 // when a line said so last, in nanoseconds
}

func newSpanQueue(exporter sdktrace.SpanExporter, most int, logger *slog.Logger) *spanQueue {
	q := &spanQueue{max: int64(most), logger: logger}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(&countedExporter{exporter, q}, sdktrace.WithMaxQueueSize(most))
	return q
}

// OnEnd implements sdktrace.SpanProcessor.
func (q *spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.waiting.Add(1) > q.max {
		q.waiting.Add(-1)
		q.full.Add(1)
		now, last := time.Now().UnixNano(), q.logged.Load()
		if now-last >= int64(betweenFullLogs) && q.logged.CompareAndSwap(last, now) {
			q.logger.Warn("spans are dropped: too many wait to be sent", "allowed", q.max, "dropped", q.full.Load())
		}
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// countedExporter is what the processor sends spans by.
type countedExporter struct {
	sdktrace.SpanExporter
	queue *spanQueue
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *countedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	defer e.queue.waiting.Add(-int64(len(spans)))
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.queue.failed.Add(uint64(len(spans)))
	}
	return err
}
