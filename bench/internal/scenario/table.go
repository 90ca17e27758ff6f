package scenario

import (
	"github.com/valkeybatch/valkeybatch/bench/internal/deploy"
	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

// Groups of subjects.
var (
	everyBatch  = []string{"unary", "unix", "glide", "go-redis", "valkey-go", "floor"}
	everySingle = []string{"unary", "unix", "glide", "go-redis", "valkey-go", "floor", "webdis", "empty"}
	oursGlide   = []string{"unary", "glide", "floor"}
)

func spec(commands string, batch, size int) workload.Spec {
	return workload.Spec{Commands: commands, Batch: batch, Size: size}
}

func atomic(commands string, batch, size int) workload.Spec {
	return workload.Spec{Commands: commands, Batch: batch, Size: size, Atomic: true}
}

func mget(batch, perMGet, size int) workload.Spec {
	return workload.Spec{Commands: "mget", Batch: batch, PerMGet: perMGet, Size: size}
}

// All are the scenarios. The whole product of deployments, batches, values, commands and
// callers would take days; these cover every axis, and every bar.
var All = []*Scenario{
	// One command in a batch: what the way itself costs.
	{Name: "one/1-caller", Deploy: deploy.Standalone, Spec: spec("get", 1, 16), Callers: 1, Subjects: everySingle},
	{Name: "one/64-callers", Deploy: deploy.Standalone, Spec: spec("get", 1, 16), Callers: 64, Subjects: everySingle},

	// Standalone.
	{Name: "standalone/get-1000", Deploy: deploy.Standalone, Spec: spec("get", 1_000, 16), Callers: 8, Subjects: everyBatch},
	{Name: "standalone/set-1000", Deploy: deploy.Standalone, Spec: spec("set", 1_000, 16), Callers: 8, Subjects: everyBatch},
	{Name: "standalone/mget-10x100", Deploy: deploy.Standalone, Spec: mget(10, 100, 16), Callers: 8, Subjects: everyBatch},
	{Name: "standalone/atomic-100", Deploy: deploy.Standalone, Spec: atomic("mix", 100, 16), Callers: 8, Subjects: everyBatch},

	// A 100 MB batch, by one caller: peak memory.
	{Name: "standalone/set-100MB", Deploy: deploy.Standalone, Spec: workload.Spec{Commands: "set", Batch: 1_000, Size: 100_000, Keys: 1_000}, Callers: 1, Longer: 2, Subjects: oursGlide},
	{Name: "standalone/get-100MB", Deploy: deploy.Standalone, Spec: workload.Spec{Commands: "get", Batch: 1_000, Size: 100_000, Keys: 1_000}, Callers: 1, Longer: 2, Subjects: oursGlide},

	// A cluster of three primaries, by batch size.
	{Name: "cluster/mix-10", Deploy: deploy.Cluster3, Spec: spec("getset", 10, 16), Callers: 8, Subjects: everyBatch},
	{Name: "cluster/get-100", Deploy: deploy.Cluster3, Spec: spec("get", 100, 16), Callers: 8, Subjects: everyBatch},
	{Name: "cluster/get-1000", Deploy: deploy.Cluster3, Spec: spec("get", 1_000, 16), Callers: 8, Subjects: everyBatch},
	{Name: "cluster/set-1000", Deploy: deploy.Cluster3, Spec: spec("set", 1_000, 16), Callers: 8, Subjects: everyBatch},
	{Name: "cluster/get-10000", Deploy: deploy.Cluster3, Spec: spec("get", 10_000, 16), Callers: 8, Subjects: everyBatch},
	{Name: "cluster/get-100000", Deploy: deploy.Cluster3, Spec: spec("get", 100_000, 16), Callers: 8, Longer: 2, Subjects: everyBatch},
	{Name: "cluster/atomic-100", Deploy: deploy.Cluster3, Spec: atomic("mix", 100, 16), Callers: 8, Subjects: everyBatch},

	// Thirty primaries.
	{Name: "cluster30/get-1000", Deploy: deploy.Cluster30, Spec: spec("get", 1_000, 16), Callers: 8, Subjects: everyBatch},
}
