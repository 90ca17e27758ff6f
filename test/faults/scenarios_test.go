package faults

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/faults/service"
)

// These scenarios are ordinary tests as well. All others are in whole_test.go.

func TestFaults092_118_119_MigrationAndResets(t *testing.T) { endure(t, "migrate-drops") }

func TestFaults097_105_117_ReadOnly(t *testing.T) { endure(t, "read-only") }

func TestFaults100_119_ResetsMidReplyAndMidRequest(t *testing.T) { endure(t, "resets") }

func TestFaults104_113_NetworkCut(t *testing.T) { endure(t, "cut") }

func TestFaults115_133_PrimaryKilledAndReplaced(t *testing.T) {
	endure(t, "kill", service.Unary, service.Streams)
}

func TestFaults115_PrimaryStoppedAndReplaced(t *testing.T) { endure(t, "stop") }

func TestFaults133_StandaloneRestarts(t *testing.T) { endure(t, "alone-restart") }
