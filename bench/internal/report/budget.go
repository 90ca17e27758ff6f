package report

import (
	"math"

	"github.com/valkeybatch/valkeybatch/bench/internal/chart"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/stats"
)

// budgetTable says of bars on rates and CPU what CPU they leave to the service, beside what it
// takes and what the RESP floor does in all. Of Valkey the least counts that it takes with
// anybody: what it takes with the service depends on the service too.
func budgetTable(run *result.Run, bars []scenario.Bar) string {
	var t table
	t.add("missed bar", "allowed", "client", "Valkey", "left", "the service takes", "the RESP floor takes")
	for _, b := range bars {
		us, peer := b.Over[0], b.Under[0]
		client, servers := median(run, us.Scenario, us.Subject, result.ClientCPU), ""
		allowed := b.Limit * median(run, peer.Scenario, peer.Subject, result.CPU)
		left := allowed - client
		if us.Metric.Name == result.Rate.Name {
			// No rate is greater than that of cores that all work all the time.
			allowed = float64(run.Machine.Cores) * 1e6 / (b.Limit * median(run, peer.Scenario, peer.Subject, result.Rate))
			valkey := leastServersCPU(run, us.Scenario)
			left, servers = allowed-client-valkey, chart.Number(valkey)
		}
		t.add(b.What, chart.Number(allowed), chart.Number(client), servers, ratio(left),
			chart.Number(median(run, us.Scenario, us.Subject, result.ServiceCPU)),
			chart.Number(median(run, us.Scenario, "floor", result.ClientCPU)))
	}
	return t.String()
}

// leastServersCPU is what the Valkey servers take for a command with the subject with which
// they take least; NaN if nobody was measured.
func leastServersCPU(run *result.Run, name string) float64 {
	least := math.NaN()
	for _, who := range scenario.ByName(name).Subjects {
		if v := median(run, name, who, result.ServersCPU); !(v >= least) && !math.IsNaN(v) {
			least = v
		}
	}
	return least
}

func median(run *result.Run, scenario, subject string, m result.Metric) float64 {
	return stats.Median(run.Values(scenario, subject, m))
}
