package telemetry

import (
	"context"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

type ctx = context.Context

const executeMethod = valkeybatchv1.BatchService_ExecuteBatch_FullMethodName

// callCounts counts the calls of ExecuteBatch as go-grpc-middleware's provider would, under the
// names of its metrics. As a collector it describes nothing, so that the registry takes both.
type callCounts struct {
	started atomic.Uint64
	handled [statuses]atomic.Uint64
}

var (
	callLabels = []string{"grpc_type", "grpc_service", "grpc_method"}
	callValues = []string{"unary", valkeybatchv1.BatchService_ServiceDesc.ServiceName, "ExecuteBatch"}

	// The help texts are the provider's to the letter: a metric has one.
	callStarted  = prometheus.NewDesc("grpc_server_started_total", "Total number of RPCs started on the server.", callLabels, nil)
	callHandled  = prometheus.NewDesc("grpc_server_handled_total", "Total number of RPCs completed on the server, regardless of success or failure.", append(append([]string(nil), callLabels...), "grpc_code"), nil)
	callReceived = prometheus.NewDesc("grpc_server_msg_received_total", "Total number of RPC stream messages received on the server.", callLabels, nil)
	callSent     = prometheus.NewDesc("grpc_server_msg_sent_total", "Total number of gRPC stream messages sent by the server.", callLabels, nil)
)

// count carries out a call and counts it.
func (c *callCounts) count(ctx ctx, req any, handler grpc.UnaryHandler) (any, error) {
	c.started.Add(1)
	answer, err := handler(ctx, req)
	code := codes.OK
	if err != nil {
		if code = status.Code(err); int(code) >= statuses {
			code = codes.Unknown
		}
	}
	c.handled[code].Add(1)
	return answer, err
}

// Describe implements prometheus.Collector.
func (c *callCounts) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *callCounts) Collect(out chan<- prometheus.Metric) {
	emit := func(desc *prometheus.Desc, n uint64, more ...string) {
		values := append(append([]string(nil), callValues...), more...)
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), values...)
	}
	// In this order no more calls are handled than were started.
	for code := range c.handled {
		if n := c.handled[code].Load(); n > 0 || code == 0 {
			emit(callHandled, n, codes.Code(code).String())
		}
	}
	emit(callSent, c.handled[codes.OK].Load())
	started := c.started.Load()
	emit(callReceived, started)
	emit(callStarted, started)
}

// statusName is the name of a status code as specifications write it: NOT_FOUND.
func statusName(code codes.Code) string {
	names := [statuses]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
		"UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
	if int(code) < len(names) {
		return names[code]
	}
	return "UNKNOWN"
}
