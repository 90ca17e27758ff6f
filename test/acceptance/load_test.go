package acceptance

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestAcceptance125_BigBatches(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	s := serve(t, c.Seeds())

	t.Run("100000 commands", func(t *testing.T) {
		const n = 50_000
		var commands []*valkeybatchv1.Command
		for i := range n {
			k := fmt.Sprintf("big:%d", i)
			commands = append(commands, cmd("SET", k, strconv.Itoa(i)), cmd("GET", k))
		}
		for i, v := range s.must(t, pipeline(commands...).within(true, patience)) {
			if i%2 == 0 && v.GetStringValue() != "OK" || i%2 == 1 && string(v.GetBytesValue()) != strconv.Itoa(i/2) {
				t.Fatalf("result %d is %s", i, render(v))
			}
		}
		total := 0
		for _, p := range c.Primaries() {
			calls := p.CommandStats(t, "get")
			if calls < n/4 {
				t.Errorf("%s ran %d of %d GET", p.Addr(), calls, n)
			}
			total += calls
		}
		if total != n {
			t.Errorf("%d GET ran, want %d", total, n)
		}
	})

	t.Run("MGET of 10000 keys", func(t *testing.T) {
		words, keys := []string{"MSET"}, []string{"MGET"}
		for i := range 10_000 {
			words = append(words, fmt.Sprintf("m:%d", i), strconv.Itoa(i))
			keys = append(keys, fmt.Sprintf("m:%d", 9_999-i))
		}
		results := s.must(t, pipeline(cmd(words...), cmd(keys...), cmd(append([]string{"EXISTS"}, keys[1:]...)...)).within(true, patience))
		if got := render(results[0]); got != "OK" {
			t.Errorf("MSET: %s", got)
		}
		if got := render(results[2]); got != "10000" {
			t.Errorf("EXISTS: %s", got)
		}
		values := results[1].GetArrayValue().GetElements()
		if len(values) != 10_000 {
			t.Fatalf("%d values", len(values))
		}
		for i, v := range values {
			if string(v.GetBytesValue()) != strconv.Itoa(9_999-i) {
				t.Fatalf("value %d is %s", i, render(v))
			}
		}
	})

	t.Run("64 callers", func(t *testing.T) {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		var callers sync.WaitGroup
		for i := range 64 {
			callers.Go(func() {
				for round := range 3 {
					var commands []*valkeybatchv1.Command
					for j := range 500 {
						k := fmt.Sprintf("c:%d:%d", i, j)
						commands = append(commands, cmd("SET", k, fmt.Sprintf("%d.%d.%d", i, round, j)), cmd("GET", k))
					}
					resp, err := s.send(pipeline(commands...).within(true, patience))
					if err != nil {
						t.Errorf("caller %d: %v", i, describe(err))
						return
					}
					for j, v := range resp.GetResults() {
						if want := fmt.Sprintf("%d.%d.%d", i, round, j/2); j%2 == 1 && string(v.GetBytesValue()) != want {
							t.Errorf("caller %d: result %d is %s, want %s", i, j, render(v), want)
							return
						}
					}
				}
			})
		}
		callers.Wait()
		runtime.GC()
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		// Callers and server share this process. Nothing of 64 x 3 batches is kept.
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
			t.Errorf("the heap has grown by %d MiB", grown>>20)
		}
	})
}

func TestAcceptance126_CallerCancels(t *testing.T) {
	srv := valkeytest.StartServer(t)
	s := serve(t, []string{srv.Addr()}, "--max-in-flight-batches", "2")
	blockedClients := func(want string) {
		t.Helper()
		valkeytest.Eventually(t, want+" blocked clients", func() error {
			if got := srv.Info(t, "clients", "blocked_clients"); got != want {
				return fmt.Errorf("%s", got)
			}
			return nil
		})
	}
	cancelled := func(r request, blocks bool) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := s.Client.ExecuteBatch(ctx, r.ExecuteBatchRequest)
			ended <- err
		}()
		if blocks {
			blockedClients("1")
		} else {
			time.Sleep(100 * time.Millisecond)
		}
		cancel()
		if err := <-ended; status.Code(err) != codes.Canceled {
			t.Errorf("the call ended with %v", err)
		}
		blockedClients("0") // the server let go as well
	}
	for range 5 { // more than may be in flight: each has to be released
		cancelled(pipeline(cmd("SET", "k", "v"), cmd("BLPOP", "list", "0"), cmd("SET", "k", "after")).within(false, patience), true)
		s.want(t, pipeline(cmd("GET", "k")), `"v"`)
	}
	// A cancelled batch on the connection that others share: theirs are answered all the same.
	hold := srv.Dial(t)
	for range 3 {
		hold.Do(t, "CLIENT", "PAUSE", "400", "ALL")
		other := make(chan error, 1)
		go func() {
			time.Sleep(50 * time.Millisecond)
			resp, err := s.send(pipeline(cmd("GET", "k"), cmd("ECHO", "mine")))
			if err == nil && fmt.Sprint(renderAll(resp.GetResults())) != `["v" "mine"]` {
				err = fmt.Errorf("%q", renderAll(resp.GetResults()))
			}
			other <- err
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
		_, err := s.Client.ExecuteBatch(ctx, pipeline(cmd("ECHO", "cancelled"), cmd("ECHO", "too")).ExecuteBatchRequest)
		cancel()
		if err == nil {
			t.Error("the batch under the pause was answered")
		}
		if err := <-other; err != nil {
			t.Errorf("the other caller: %v", err)
		}
	}
	// An atomic one, whose connection is not used again half way.
	for range 3 {
		hold.Do(t, "CLIENT", "PAUSE", "300", "ALL")
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		_, err := s.Client.ExecuteBatch(ctx, atomicBatch(cmd("ECHO", "cancelled")).ExecuteBatchRequest)
		cancel()
		if err == nil {
			t.Error("the transaction under the pause was answered")
		}
		s.want(t, atomicBatch(cmd("GET", "k"), cmd("ECHO", "mine")), `"v"`, `"mine"`)
	}
}
