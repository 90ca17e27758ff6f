package config

import (
	"net/url"
	"time"
)

// Telemetry is what the server tells of single batches: traces and log lines.
type Telemetry struct {
	// AccessLog writes a log line for each batch, at the level info whatever came of it, or for
	// the share AccessLogSample of them. No line shows arguments or replies.
	AccessLog bool `name:"access-log" env:"VALKEYBATCH_ACCESS_LOG" help:"Log a line for each batch, or for a share of them: what it was, what came of it, how long it took. Never arguments." group:"Observability"`
	// AccessLogSample is the share of batches that leave a line, chosen by chance. 0 to 1.
	AccessLogSample float64 `name:"access-log-sample" env:"VALKEYBATCH_ACCESS_LOG_SAMPLE" default:"1" min:"0" max:"1" placeholder:"SHARE" help:"Share of batches in the access log." group:"Observability"`
	// SlowBatch is the time from which a batch leaves a log line that says where its time went.
	// Zero: none does. 0 s to 24 h.
	SlowBatch time.Duration `name:"slow-batch" env:"VALKEYBATCH_SLOW_BATCH" default:"0s" min:"0s" max:"24h" placeholder:"DURATION" help:"Log batches that take this long, and where their time went: waiting, nodes, redirects, retries. 0s: none." group:"Observability"`
	// TraceEndpoint is the OTLP/gRPC collector that spans are sent to, as http://host:port
	// (without TLS) or https://host:port. Empty: nothing is traced.
	TraceEndpoint string `name:"trace-endpoint" env:"VALKEYBATCH_TRACE_ENDPOINT" placeholder:"URL" help:"OTLP/gRPC collector to send traces to: http://host:4317, or https:// for TLS. Without it nothing is traced." group:"Observability"`
	// TraceSample is the share of batches that are traced of those whose callers do not say; a
	// caller's traceparent decides for its own. 0 to 1.
	TraceSample float64 `name:"trace-sample" env:"VALKEYBATCH_TRACE_SAMPLE" default:"0.01" min:"0" max:"1" placeholder:"SHARE" help:"Share of batches that are traced of those that come without a trace of their caller's." group:"Observability"`
}

// check checks what ranges do not.
func (t *Telemetry) check() error {
	if t.TraceEndpoint == "" {
		return nil
	}
	u, err := url.Parse(t.TraceEndpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.User != nil {
		return wrong("trace-endpoint", "%q is no collector's address: write http://host:port or https://host:port", t.TraceEndpoint)
	}
	return nil
}
