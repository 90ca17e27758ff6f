package executor

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/options"
)

// Whatever batches come between, those that choose among one slot's replicas take turns.
func TestReplicaTurnsAreTheSlotsOwn(t *testing.T) {
	e := New(Config{})
	one := options.Route{Kind: options.RouteSlot, Slot: 1, Replica: true}
	other := options.Route{Kind: options.RouteSlot, Slot: 2, Replica: true}
	first := e.nextTurn(one)
	for i := range 5 {
		e.nextTurn(options.Route{})
		e.nextTurn(options.Route{Kind: options.RouteSlot, Slot: 1})
		e.nextTurn(other)
		if got, want := e.nextTurn(one), first+1+i; got != want {
			t.Fatalf("turn %d, want %d", got, want)
		}
	}
}
