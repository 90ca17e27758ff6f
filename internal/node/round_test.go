package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// echo is a sub-batch of n ECHO commands.
func echo(n int, budget *node.Budget) *node.Batch {
	b := node.NewBatch(n, budget)
	for i := range n {
		b.Add([][]byte{[]byte("ECHO"), fmt.Append(nil, i)})
	}
	return b
}

// TestRound sends rounds of sub-batches to two nodes, from many goroutines on the same
// connections, with the memory of one used for the next.
func TestRound(t *testing.T) {
	pool := newPool(t, node.Config{})
	nodes := []*node.Node{pool.Get(valkeytest.SharedServer(t).Addr()), pool.Get(valkeytest.StartServer(t).Addr())}
	var round node.Round
	if b := echo(1, nil); round.Start(nodes[0], ordinary, b, false) {
		t.Error("a sub-batch was queued without a connection")
	} else {
		nodes[0].Do(context.Background(), ordinary, b)
		nodes[1].Do(context.Background(), ordinary, echo(1, nil))
	}
	if round.Start(nodes[0], blocking, echo(1, nil), false) || round.Start(nodes[0], transaction, echo(1, nil), false) {
		t.Error("a class without a shared connection was queued")
	}
	var callers sync.WaitGroup
	for caller := range 16 {
		callers.Go(func() {
			var round node.Round
			for i := range 200 {
				sent := []*node.Batch{echo(1+(i+caller)%5, nil), echo(1+i%40, nil)}
				for n, b := range sent {
					if !round.Start(nodes[n], ordinary, b, false) {
						t.Error("not queued")
						return
					}
				}
				round.Flush()
				round.Wait(context.Background(), nil, nil)
				for _, b := range sent {
					if b.Err() != nil {
						t.Error(b.Err())
					}
					for n := range b.Len() {
						reply, _ := b.Reply(n)
						if text, _ := reply.Bytes(); string(text) != fmt.Sprint(n) {
							t.Errorf("reply %d is %q", n, text)
						}
					}
					b.Release()
				}
			}
		})
	}
	callers.Wait()
}

// TestRoundGivesUp checks what ends the waiting: the context, the end, the end of those that
// are soft, and a limit that one of them breaks. Nothing of it shows in the next round.
func TestRoundGivesUp(t *testing.T) {
	srv, other := valkeytest.StartServer(t), valkeytest.StartServer(t)
	pool := newPool(t, node.Config{})
	nodes := []*node.Node{pool.Get(srv.Addr()), pool.Get(other.Addr())}
	for _, n := range nodes {
		n.Do(context.Background(), ordinary, echo(1, nil))
	}
	blocked := func() *node.Batch {
		b := node.NewBatch(1, nil)
		b.Add([][]byte{[]byte("BLPOP"), []byte("nolist"), []byte("0")})
		return b
	}
	var round node.Round
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	soon := func() <-chan time.Time { return time.After(20 * time.Millisecond) }
	for name, test := range map[string]struct {
		ctx          context.Context
		softEnd, end <-chan time.Time
		soft         bool
		want         error
	}{
		"context": {ended, nil, nil, false, context.Canceled},
		"end":     {context.Background(), nil, soon(), false, context.DeadlineExceeded},
		"soft":    {context.Background(), soon(), nil, true, context.DeadlineExceeded},
	} {
		hangs, healthy := blocked(), echo(3, nil)
		for _, n := range nodes { // a connection that was given up may be replaced
			n.Recycle()
			n.Do(context.Background(), ordinary, echo(1, nil))
		}
		if !round.Start(nodes[0], ordinary, hangs, test.soft) || !round.Start(nodes[1], ordinary, healthy, false) {
			t.Fatal("not queued")
		}
		round.Flush()
		if name != "context" {
			valkeytest.Eventually(t, "a healthy answer", func() error {
				if state := other.Info(t, "commandstats", "cmdstat_echo"); state == "" {
					return errors.New("none yet")
				}
				return nil
			})
		}
		round.Wait(test.ctx, test.softEnd, test.end)
		if !errors.Is(hangs.Err(), test.want) {
			t.Errorf("%s: got %v", name, hangs.Err())
		}
		if _, state := hangs.Reply(0); state != node.Unknown {
			t.Errorf("%s: the state is %v", name, state)
		}
		if name == "soft" && healthy.Err() != nil {
			t.Errorf("the healthy one: %v", healthy.Err())
		}
		healthy.Release()
	}
	for _, n := range nodes {
		n.Recycle()
		n.Do(context.Background(), ordinary, echo(1, nil))
	}
	hangs, large := blocked(), echo(100, node.NewBudget(50))
	if !round.Start(nodes[0], ordinary, hangs, false) || !round.Start(nodes[1], ordinary, large, false) {
		t.Fatal("not queued")
	}
	round.Flush()
	round.Wait(context.Background(), nil, nil)
	var limit *node.LimitError
	if !errors.As(large.Err(), &limit) || !errors.Is(hangs.Err(), context.Canceled) {
		t.Errorf("over a limit: got %v and %v", large.Err(), hangs.Err())
	}
	nodes[1].Do(context.Background(), ordinary, echo(1, nil))
	again := echo(2, nil)
	if !round.Start(nodes[1], ordinary, again, false) {
		t.Fatal("not queued")
	}
	round.Flush()
	round.Wait(context.Background(), nil, nil)
	if again.Err() != nil {
		t.Errorf("the next round: %v", again.Err())
	}
}
