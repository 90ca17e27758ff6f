package isolation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Calls that are cancelled at any moment, by the thousand, leave nothing behind and take nothing
// from those that are not.
func TestCancelStorm(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, d *deployment) {
		for _, n := range d.nodes {
			n.Do(t, "SET", "long", strings.Repeat("v", 1<<20)) // on a cluster one of them takes it
		}
		before := runtime.NumGoroutine() // of the other deployment too
		canaries := release(t, d.Server, d.isCluster, false)
		var callers sync.WaitGroup
		for i := range 16 {
			r := rand.New(rand.NewPCG(3, uint64(i)))
			callers.Go(func() {
				for range scaled(150, 1500) {
					ctx, cancel := context.WithCancel(context.Background())
					end := time.AfterFunc(time.Duration(r.IntN(6000))*time.Microsecond, cancel)
					d.stormy(t, ctx, r)
					end.Stop()
					cancel()
				}
			})
		}
		callers.Wait()
		canaries.done(t)
		d.noDefect(t)
		d.awaitNoneBlocked(t)
		valkeytest.Eventually(t, "the end of all that was begun", func() error {
			if n := runtime.NumGoroutine(); n > before+200 {
				return fmt.Errorf("%d goroutines, %d before", n, before)
			}
			return nil
		})
	})
}

// Calls that are cancelled while a long response is on its way to them end nothing but themselves,
// though gRPC loses some of the responses: nothing else on their connection ends, however soon calls
// of which nothing is read are ended.
func TestCancelledResponses(t *testing.T) {
	t.Parallel()
	s, _ := tightProcess(t)
	var callers sync.WaitGroup
	for i := range 16 {
		r := rand.New(rand.NewPCG(4, uint64(i)))
		callers.Go(func() {
			for range scaled(800, 4000) {
				ctx, cancel := context.WithCancel(context.Background())
				end := time.AfterFunc(time.Duration(r.IntN(8000))*time.Microsecond, cancel)
				_, _ = s.Client.ExecuteBatch(ctx, pipeline(cmd("GETRANGE", "long", "0", "200000")))
				end.Stop()
				cancel()
			}
		})
	}
	callers.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// On the same connection, for longer than the connection of calls that are not read may last.
	if _, err := s.Client.ExecuteBatch(ctx, pipeline(cmd("BLPOP", "nothing", "4"))); err != nil {
		t.Errorf("a call beside them ended with %v", refusalOf(err))
	}
	t.Logf("responses that gRPC lost: %d", strings.Count(s.Logs.String(), "ended a call"))
	if strings.Contains(s.Logs.String(), "ended a connection") {
		t.Error("their connection was ended")
	}
	awaitRoom(t, s)
}

// stormy makes a call of any kind and does not care.
func (d *deployment) stormy(t *testing.T, ctx context.Context, r *rand.Rand) {
	commands := []*command{cmd("SET", "storm:"+fmt.Sprint(r.IntN(9)), "x"), cmd("ECHO", "y")}
	switch r.IntN(5) {
	case 0:
		commands = append(commands, cmd("GET", "long"))
	case 1:
		commands = append(commands, blockers(r.IntN(10)))
	case 2:
		commands = repeated(500, cmd("INCR", "storm:n"))
	case 3:
		commands = append(commands, cmd("SET", "storm:long", strings.Repeat("x", 200_000)))
	}
	batch := within(d.isCluster, pipeline(commands...), patience, r.IntN(2) == 0)
	if r.IntN(4) == 0 {
		batch = within(d.isCluster, atomicBatch(cmd("INCR", "storm:n"), cmd("GET", "storm:n")), patience, false)
	}
	if r.IntN(3) > 0 {
		if _, err := d.Client.ExecuteBatch(ctx, batch); err != nil && status.Code(err) != codes.Canceled {
			t.Errorf("a call ended with %v", refusalOf(err))
		}
		return
	}
	stream, err := d.Client.StreamBatches(ctx)
	for id := uint64(0); err == nil && id < 5; id++ {
		err = stream.Send(&valkeybatchv1.StreamBatchesRequest{Id: id, Request: batch})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil && status.Code(err) != codes.Canceled && err.Error() != "EOF" {
		t.Errorf("a stream ended with %v", refusalOf(err))
	}
}
