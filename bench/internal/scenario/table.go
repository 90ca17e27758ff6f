package scenario

import (
	"slices"

	"github.com/valkeybatch/valkeybatch/bench/internal/deploy"
	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

const (
	kib = 1 << 10
	// tiny is the size of most scenarios' values: what is left of a command then is overhead.
	tiny = 16
)

// Groups of subjects.
var (
	ours  = []string{"unary", "unix", "stream"}
	peers = []string{"glide", "go-redis", "valkey-go", "floor"}

	everybody = slices.Concat(ours, peers)
	// observed are the service with what it tells of itself, beside "unary" that tells nothing.
	observed = []string{"metrics", "traces"}
	single   = slices.Concat(everybody, []string{"webdis", "empty"}, observed)
	small    = slices.Concat(ours, []string{"streams"}, peers)
	large    = slices.Concat([]string{"unary", "stream"}, peers)
	plain    = slices.Concat([]string{"unary"}, peers)
	barsOnly = []string{"unary", "glide", "floor"}
)

// All are the scenarios, those of one deployment behind each other. The whole product of
// deployments, batches, values, commands and callers would take days: these cover every
// value of every axis, and every bar.
var All = []*Scenario{
	// A command alone: what the way itself costs.
	{Name: "one/1-caller", Spec: get(1, tiny), Callers: 1, Subjects: single, Smoke: true},
	{Name: "one/64-callers", Spec: get(1, tiny), Callers: 64, Subjects: single},

	// A standalone server.
	{Name: "standalone/get-1000", Spec: get(1_000, tiny), Callers: 8, Subjects: everybody},
	{Name: "standalone/set-1000", Spec: set(1_000, tiny), Callers: 8, Subjects: plain},
	{Name: "standalone/mget-10x100", Spec: mget(10, 100), Callers: 8, Subjects: plain, Smoke: true},
	{Name: "standalone/atomic-100", Spec: atomic(100), Callers: 8, Subjects: plain},
	{Name: "standalone/set-100MB", Spec: only(1_000, set(1_000, 100_000)), Callers: 1, Longer: 2, Subjects: barsOnly},
	{Name: "standalone/get-100MB", Spec: only(1_000, get(1_000, 100_000)), Callers: 1, Longer: 2, Subjects: barsOnly},

	// A cluster of three primaries.
	{Name: "cluster/get-10", Deploy: deploy.Cluster3, Spec: get(10, tiny), Callers: 8, Subjects: small, Smoke: true},
	{Name: "cluster/set-10", Deploy: deploy.Cluster3, Spec: set(10, tiny), Callers: 8, Subjects: []string{"unary", "streams", "glide"}},
	{Name: "cluster/get-100", Deploy: deploy.Cluster3, Spec: get(100, tiny), Callers: 8, Subjects: everybody},
	{Name: "cluster/set-100", Deploy: deploy.Cluster3, Spec: set(100, tiny), Callers: 8, Subjects: barsOnly},
	{Name: "cluster/get-1000", Deploy: deploy.Cluster3, Spec: get(1_000, tiny), Callers: 8, Subjects: everybody},
	{Name: "cluster/set-1000", Deploy: deploy.Cluster3, Spec: set(1_000, tiny), Callers: 8, Subjects: plain},
	// What being watched costs is less than rounds differ by: it takes many.
	{Name: "observed/get-1000", Deploy: deploy.Cluster3, Spec: get(1_000, tiny), Callers: 8, Often: 4, Subjects: slices.Concat([]string{"unary"}, observed)},
	{Name: "observed/set-1000", Deploy: deploy.Cluster3, Spec: set(1_000, tiny), Callers: 8, Often: 4, Subjects: slices.Concat([]string{"unary"}, observed)},
	{Name: "cluster/get-10000", Deploy: deploy.Cluster3, Spec: get(10_000, tiny), Callers: 8, Subjects: large},
	{Name: "cluster/set-10000", Deploy: deploy.Cluster3, Spec: set(10_000, tiny), Callers: 8, Subjects: barsOnly},
	{Name: "cluster/get-100000", Deploy: deploy.Cluster3, Spec: get(100_000, tiny), Callers: 8, Longer: 2, Subjects: large},
	{Name: "cluster/get-1000-1", Deploy: deploy.Cluster3, Spec: get(1_000, tiny), Callers: 1, Subjects: everybody},
	{Name: "cluster/get-100-64", Deploy: deploy.Cluster3, Spec: get(100, tiny), Callers: 64, Longer: 2, Subjects: large},
	{Name: "cluster/mix-1000-1KiB", Deploy: deploy.Cluster3, Spec: mix(1_000, kib), Callers: 8, Subjects: plain},
	{Name: "cluster/get-100-64KiB", Deploy: deploy.Cluster3, Spec: get(100, 64*kib), Callers: 8, Subjects: plain},
	{Name: "cluster/mget-1x10000", Deploy: deploy.Cluster3, Spec: mget(1, 10_000), Callers: 8, Subjects: []string{"unary", "glide", "valkey-go", "floor"}, Smoke: true},
	{Name: "cluster/atomic-100", Deploy: deploy.Cluster3, Spec: atomic(100), Callers: 8, Subjects: plain, Smoke: true},

	// A cluster of thirty.
	{Name: "cluster30/get-100", Deploy: deploy.Cluster30, Spec: get(100, tiny), Callers: 8, Subjects: plain},
	{Name: "cluster30/get-1000", Deploy: deploy.Cluster30, Spec: get(1_000, tiny), Callers: 8, Subjects: large},
}

func get(batch, size int) workload.Spec {
	return workload.Spec{Commands: "get", Batch: batch, Size: size}
}

func set(batch, size int) workload.Spec {
	return workload.Spec{Commands: "set", Batch: batch, Size: size}
}

// mix is five GETs to a SET, an INCR and a HSET.
func mix(batch, size int) workload.Spec {
	return workload.Spec{Commands: "mix", Batch: batch, Size: size}
}

func mget(batch, keys int) workload.Spec {
	return workload.Spec{Commands: "mget", Batch: batch, PerMGet: keys, Size: tiny}
}

func atomic(batch int) workload.Spec {
	return workload.Spec{Commands: "mix", Batch: batch, Size: tiny, Atomic: true}
}

// only limits the keys.
func only(keys int, s workload.Spec) workload.Spec {
	s.Keys = keys
	return s
}

// ByName returns the scenario of that name, nil when there is none.
func ByName(name string) *Scenario {
	for _, s := range All {
		if s.Name == name {
			return s
		}
	}
	return nil
}
