// Package attribution says where CPU time goes: it reads the CPU profiles of client and
// service and puts every sample of theirs in one category.
package attribution

// Category is one thing that CPU time is spent on. Its value is kept in results.
type Category string

// The categories.
const (
	KernelCalls Category = "kernel-calls" // system calls of gRPC's transport, between client and service
	KernelNodes Category = "kernel-nodes" // system calls of the connections to Valkey
	Protobuf    Category = "protobuf"     // messages to bytes and back
	Executor    Category = "executor"     // what a batch needs to be run, and the service around it
	Nodes       Category = "nodes"        // connections to Valkey and RESP
	GRPC        Category = "grpc"
	Runtime     Category = "runtime" // what Go's runtime does for nobody in particular
	Benchmark   Category = "benchmark"
	Other       Category = "other"
)

// All are the categories in the order of tables.
var All = []Category{KernelCalls, KernelNodes, Protobuf, Executor, Nodes, GRPC, Runtime, Benchmark, Other}

// Title names the category in tables.
func (c Category) Title() string { return titles[c] }

var titles = map[Category]string{
	KernelCalls: "kernel, between client and service",
	KernelNodes: "kernel, between service and Valkey",
	Protobuf:    "protobuf",
	Executor:    "executor",
	Nodes:       "nodes and RESP",
	GRPC:        "gRPC",
	Runtime:     "scheduler and garbage collection",
	Benchmark:   "the benchmark's own",
	Other:       "other",
}
