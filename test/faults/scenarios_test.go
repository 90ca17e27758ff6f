package faults

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/faults/run"
	"github.com/valkeybatch/valkeybatch/internal/faults/service"
)

// short are the scenarios that run as ordinary tests.
var short = map[string]bool{"kill": true, "stop": true, "migrate-drops": true, "cut": true, "resets": true, "read-only": true, "alone-restart": true}

func TestFaults089_090_091_094_118_SlotsMigrateBackAndForth(t *testing.T) { endure(t, "migrate") }

func TestFaults092_093_096_116_MigrationThatTakesLong(t *testing.T) { endure(t, "migrate-long") }

func TestFaults092_118_119_MigrationAndResets(t *testing.T) { endure(t, "migrate-drops") }

func TestFaults089_096_NodeAddedAndRemoved(t *testing.T) { endure(t, "join-leave") }

func TestFaults093_120_TransactionsWhileSlotsMigrate(t *testing.T) { endure(t, "atomic") }

func TestFaults095_AddressesSwapped(t *testing.T) { endure(t, "swap") }

func TestFaults097_105_117_ReadOnly(t *testing.T) { endure(t, "read-only") }

func TestFaults098_117_LoadingStandalone(t *testing.T) { endure(t, "alone-loading") }

func TestFaults098_117_LoadingInACluster(t *testing.T) { endure(t, "loading") }

func TestFaults117_ClusterDown(t *testing.T) { endure(t, "blackout") }

func TestFaults117_OutOfMemory(t *testing.T) { endure(t, "oom") }

func TestFaults099_113_114_PrimaryKilled(t *testing.T) { endure(t, "crash") }

func TestFaults100_101_ClientsKilled(t *testing.T) { endure(t, "client-kill") }

func TestFaults100_119_ResetsMidReplyAndMidRequest(t *testing.T) { endure(t, "resets") }

func TestFaults101_ResetsStandalone(t *testing.T) { endure(t, "alone-resets") }

func TestFaults102_OneNodesConnectionsReset(t *testing.T) { endure(t, "drops") }

func TestFaults103_AllConnectionsReset(t *testing.T) { endure(t, "drops-all") }

func TestFaults099_104_113_ConnectionsRefused(t *testing.T) { endure(t, "dead") }

func TestFaults104_113_NetworkCut(t *testing.T) { endure(t, "cut") }

func TestFaults104_113_NodeHangs(t *testing.T) { endure(t, "freeze") }

func TestFaults113_SlowNode(t *testing.T) { endure(t, "slow") }

func TestFaults115_133_PrimaryKilledAndReplaced(t *testing.T) {
	endure(t, "kill", service.Unary, service.Streams)
}

func TestFaults115_PrimaryStoppedAndReplaced(t *testing.T) { endure(t, "stop") }

func TestFaults115_133_ManualFailover(t *testing.T) { endure(t, "failover") }

func TestFaults125_BigBatches(t *testing.T) { endure(t, "big") }

func TestFaults126_CallersCancel(t *testing.T) { endure(t, "cancel") }

func TestFaults133_StandaloneRestarts(t *testing.T) { endure(t, "alone-restart") }

func TestFaults133_134_WholeClusterRestarts(t *testing.T) { endure(t, "restart") }

// Every scenario is some test's.
func TestEveryScenarioRuns(t *testing.T) {
	if !*full {
		for name := range short {
			if _, ok := run.Scenarios[name]; !ok {
				t.Errorf("there is no scenario %q", name)
			}
		}
		return
	}
	for name := range run.Scenarios {
		if !ranAlready(name) {
			t.Errorf("no test has run the scenario %q", name)
		}
	}
}

func ranAlready(name string) bool {
	reports.mu.Lock()
	defer reports.mu.Unlock()
	for _, r := range reports.all {
		if r.Name == name {
			return true
		}
	}
	return false
}
