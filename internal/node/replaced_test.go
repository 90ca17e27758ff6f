package node_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Replies over their callers' limits have the shared connection replaced time and again; those
// who wait behind them are answered all the same.
func TestRepliesOverTheLimitCostOthersNothing(t *testing.T) {
	s := valkeytest.StartServer(t)
	n := getNode(t, s.Addr())
	do(t, n, ordinary, command("SET", "big", strings.Repeat("x", 16<<20)))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 4 {
				b := node.NewBatch(1, node.NewBudget(1<<20))
				b.Add(command("GET", "big"))
				n.Do(context.Background(), ordinary, b)
			}
		})
	}
	for range 8 {
		wg.Go(func() {
			for range 25 {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				b := batch(command("INCR", "n"))
				n.Do(ctx, ordinary, b)
				cancel()
				if b.Err() != nil {
					t.Errorf("%v: %v", outcome(b), b.Err())
				}
			}
		})
	}
	wg.Wait()
}

// Any number of commands that wait leaves connections to those that do not.
func TestBlockingLeavesExclusiveConnections(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := newPool(t, node.Config{MaxBlockingConns: 1, MaxExclusiveConns: 1}).Get(s.Addr())
	key := valkeytest.Key(t)
	waiting := make(chan *node.Batch, 1)
	go func() { waiting <- do(t, n, blocking, command("BLPOP", key, "0")) }()
	wantOutcome(t, do(t, n, node.Target{Class: node.Exclusive}, command("EVAL", "return 1", "0")), ":1\r\n")
	do(t, n, ordinary, command("RPUSH", key, "x"))
	<-waiting
}
