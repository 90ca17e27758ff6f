package executor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/control"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// builtinOnly is a command table that never learns.
type builtinOnly struct{}

func (builtinOnly) Table() *command.Table                       { return command.Builtin() }
func (builtinOnly) Learn(context.Context, string) (bool, error) { return false, nil }

// newTestExecutor returns an executor in front of a deployment; it ends with the test.
func newTestExecutor(tb testing.TB, seeds ...string) *Executor {
	tb.Helper()
	client := control.New(control.Config{Seeds: seeds})
	tb.Cleanup(client.Close)
	topology := slotmap.NewMap(client, slotmap.Config{})
	tb.Cleanup(topology.Close)
	pool := node.NewPool(node.Config{Cluster: true})
	tb.Cleanup(pool.Close)
	policy, err := command.NewPolicy(nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return New(Config{Map: topology, Pool: pool, Commands: builtinOnly{}, Policy: policy})
}

func BenchmarkPipeline(b *testing.B) {
	deployments := []struct {
		name  string
		seeds func() []string
	}{
		{"standalone", func() []string { return []string{valkeytest.SharedServer(b).Addr()} }},
		{"cluster", func() []string { return valkeytest.SharedCluster(b).Seeds() }},
	}
	for _, d := range deployments {
		for _, n := range []int{1, 100, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/commands=%d", d.name, n), func(b *testing.B) {
				e := newTestExecutor(b, d.seeds()...)
				batch := Batch{Commands: make([][][]byte, n)}
				for i := range batch.Commands {
					batch.Commands[i] = [][]byte{[]byte("GET"), fmt.Appendf(nil, "bench:%d", i)}
				}
				o := options.Options{Timeout: time.Minute}
				b.ReportAllocs()
				for b.Loop() {
					results, err := e.Execute(b.Context(), batch, o)
					if err != nil || results.Failed > 0 {
						b.Fatalf("%v, %d failed", err, results.Failed)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/command")
			})
		}
	}
}
