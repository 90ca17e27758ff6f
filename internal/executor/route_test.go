package executor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
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

// A route to an address that is no node tells which ones are.
func TestNoSuchNodeNamesNodes(t *testing.T) {
	rt := options.Route{Kind: options.RouteAddress, Addr: "q:1"}
	want := "q:1 is not a node of the cluster, whose nodes are p1:1, p2:1, p3:1, r1:1, r2:1, r3:1"
	if err := noSuchNode(rt, threeShards); !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	shards := make([]slotmap.Shard, 100)
	for i := range shards {
		shards[i].Primary = fmt.Sprintf("p:%d", i+1)
	}
	if err := noSuchNode(rt, slotmap.NewCluster(shards)); !strings.HasSuffix(err.Error(), " and 94 more") || len(err.Error()) > 200 {
		t.Errorf("%v, want a few of the nodes and how many more there are", err)
	}
}
