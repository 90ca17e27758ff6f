//go:build faults

package faults

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/faults/run"
)

func TestFaults089_090_091_094_118_SlotsMigrateBackAndForth(t *testing.T) { endure(t, "migrate") }

func TestFaults092_093_096_116_MigrationThatTakesLong(t *testing.T) { endure(t, "migrate-long") }

func TestFaults089_096_NodeAddedAndRemoved(t *testing.T) { endure(t, "join-leave") }

func TestFaults093_120_TransactionsWhileSlotsMigrate(t *testing.T) { endure(t, "atomic") }

func TestFaults095_AddressesSwapped(t *testing.T) { endure(t, "swap") }

func TestFaults098_117_LoadingStandalone(t *testing.T) { endure(t, "alone-loading") }

func TestFaults098_117_LoadingInACluster(t *testing.T) { endure(t, "loading") }

func TestFaults117_ClusterDown(t *testing.T) { endure(t, "blackout") }

func TestFaults117_OutOfMemory(t *testing.T) { endure(t, "oom") }

func TestFaults099_113_114_PrimaryKilled(t *testing.T) { endure(t, "crash") }

func TestFaults100_101_ClientsKilled(t *testing.T) { endure(t, "client-kill") }

func TestFaults101_ResetsStandalone(t *testing.T) { endure(t, "alone-resets") }

func TestFaults102_OneNodesConnectionsReset(t *testing.T) { endure(t, "drops") }

func TestFaults103_AllConnectionsReset(t *testing.T) { endure(t, "drops-all") }

func TestFaults099_104_113_ConnectionsRefused(t *testing.T) { endure(t, "dead") }

func TestFaults104_113_NodeHangs(t *testing.T) { endure(t, "freeze") }

func TestFaults113_SlowNode(t *testing.T) { endure(t, "slow") }

func TestFaults115_133_ManualFailover(t *testing.T) { endure(t, "failover") }

func TestFaults125_BigBatches(t *testing.T) { endure(t, "big") }

func TestFaults126_CallersCancel(t *testing.T) { endure(t, "cancel") }

func TestFaults133_134_WholeClusterRestarts(t *testing.T) { endure(t, "restart") }

// Every scenario is some test's. It is the last test of "make faults".
func TestEveryScenarioRuns(t *testing.T) {
	reports.mu.Lock()
	defer reports.mu.Unlock()
	ran := map[string]bool{}
	for _, r := range reports.all {
		ran[r.Name] = true
	}
	for name := range run.Scenarios {
		if !ran[name] {
			t.Errorf("no test has run the scenario %q", name)
		}
	}
}
