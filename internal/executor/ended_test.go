package executor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/control"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// askingTable is a command table that waits for an answer about what it does not know, as the real one does.
type askingTable struct{ builtinOnly }

func (askingTable) Learn(ctx context.Context, _ string) (bool, error) {
	select {
	case <-ctx.Done():
	default:
	}
	return false, nil
}

// counter stands between the service and a server and counts INCR commands, which it may keep
// from the server.
type counter struct {
	seen atomic.Int64
	hold atomic.Bool
}

// listen begins to count on an address of its own, which it returns.
func (c *counter) listen(t *testing.T, server string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			wg.Go(func() {
				_, _ = io.Copy(client, up)
				client.Close()
			})
			wg.Go(func() {
				defer up.Close()
				buf := make([]byte, 64<<10)
				for {
					n, err := client.Read(buf)
					if err != nil {
						return
					}
					c.seen.Add(int64(bytes.Count(buf[:n], []byte("INCR"))))
					if c.hold.Load() {
						continue
					}
					if _, err := up.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// TestNothingIsSentAgainAtTheEnd: a batch whose time runs out while its commands are under way
// ends, and sends none of them once more, whichever of its clocks tells of the end first.
func TestNothingIsSentAgainAtTheEnd(t *testing.T) {
	var c counter
	addr := c.listen(t, valkeytest.SharedServer(t).Addr())
	client := control.New(control.Config{Seeds: []string{addr}})
	defer client.Close()
	topology := slotmap.NewMap(client, slotmap.Config{})
	defer topology.Close()
	pool := node.NewPool(node.Config{})
	defer pool.Close()
	policy, err := command.NewPolicy(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := New(Config{Map: topology, Pool: pool, Commands: askingTable{}, Policy: policy})
	for range 30 {
		c.hold.Store(false)
		valkeytest.Eventually(t, "a connection", func() error {
			_, err := e.Execute(t.Context(), Batch{Commands: [][][]byte{{[]byte("PING")}}}, options.Options{Timeout: time.Second})
			return err
		})
		c.hold.Store(true)
		before := c.seen.Load()
		_, err := e.Execute(t.Context(), Batch{Commands: [][][]byte{{[]byte("INCR"), []byte("k")}, {[]byte("NOSUCHCOMMAND")}}},
			options.Options{Timeout: 20 * time.Millisecond})
		var ended *DeadlineError
		if !errors.As(err, &ended) {
			t.Fatalf("got %v", err)
		}
		time.Sleep(2 * time.Millisecond) // what is on its way arrives
		if n := c.seen.Load() - before; n > 1 {
			t.Errorf("the command was sent %d times", n)
		}
		pool.Get(addr).Recycle()
	}
}

// TestNothingIsSentForNobody: a batch whose caller has gone before it begins is not sent.
func TestNothingIsSentForNobody(t *testing.T) {
	e := newTestExecutor(t, valkeytest.SharedServer(t).Addr())
	do := func(ctx context.Context, atomic bool, words ...string) (*Results, error) {
		var args [][]byte
		for _, w := range words {
			args = append(args, []byte(w))
		}
		return e.Execute(ctx, Batch{Atomic: atomic, Commands: [][][]byte{args}}, options.Options{Timeout: 20 * time.Second})
	}
	if _, err := do(t.Context(), false, "DEL", "for nobody"); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, atomic := range []bool{false, true} {
		var ended *DeadlineError
		if _, err := do(gone, atomic, "SET", "for nobody", "1"); !errors.As(err, &ended) || !errors.Is(err, context.Canceled) {
			t.Errorf("atomic %v: got %v", atomic, err)
		}
	}
	time.Sleep(20 * time.Millisecond)
	r, err := do(t.Context(), false, "EXISTS", "for nobody")
	if err != nil || string(r.Results[0].Frame) != ":0\r\n" {
		t.Errorf("it ran: %v, %v", r, err)
	}
}
