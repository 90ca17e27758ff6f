// Package telemetry is what operators see of the server: metrics for Prometheus and traces for
// OpenTelemetry. It learns of batches by two calls each: [Metrics.Batch] from the server's
// interceptors, with what the caller was told, and Executed from the executor, with a report of
// where the time went. Everything else is read when Prometheus asks.
//
// The labels of all metrics are bounded: by lists in this package, and by the topology for
// nodes. None ever holds anything of what commands hold.
package telemetry
