package acceptance

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestAcceptance115_133_Failover(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Replicas: 1, NodeTimeout: 2 * time.Second})
	p := c.Primaries()
	s := serve(t, c.Seeds(), unasked...)
	key := func(i int, name string) string { return valkeytest.KeyIn(uint16(100+i*5461), name) }

	// While idle: the primary steps down for its replica, and the next batches work.
	s.want(t, pipeline(cmd("SET", key(0, "k"), "v")), "OK")
	s.want(t, pipeline(cmd("WAIT", "1", "10000")).route(slotRoute(100, primary)), "1")
	promoted := c.Replicas(p[0])[0]
	c.Failover(t, promoted)
	c.ConfigResetStat(t)
	s.want(t, pipeline(cmd("GET", key(0, "k")), cmd("SET", key(0, "k"), "w"), cmd("GET", key(1, "k"))), `"v"`, "OK", "nil")
	s.want(t, atomicBatch(cmd("GET", key(0, "k"))), `"w"`)
	if n := promoted.CommandStats(t, "set"); n != 1 {
		t.Errorf("the new primary ran SET %d times, want 1", n)
	}

	// Killed: with retry_connection_error every command ends with a reply of the new primary.
	promoted = c.Replicas(p[1])[0]
	p[1].Kill(t)
	results := s.must(t, pipeline(append(letters(key(1, "list")), cmd("LRANGE", key(1, "list"), "0", "-1"), cmd("GET", key(0, "k")))...).
		timed(patience/2, true, true))
	if got := render(results[26]); got != alphabet() {
		t.Errorf("the list is %s", got)
	}
	if got := render(results[27]); got != `"w"` {
		t.Errorf("the other primary's result is %s", got)
	}
	if n := promoted.CommandStats(t, "rpush"); n != 26 {
		t.Errorf("the new primary ran RPUSH %d times, want 26", n)
	}
	c.WaitFailover(t, promoted)
	s.want(t, atomicBatch(cmd("LLEN", key(1, "list"))), "26")
}

// A primary that hangs for good under a batch: once the cluster has replaced it nobody waits for
// it any longer, however much time there is.
func TestAcceptance113_115_PrimaryHangsAndIsReplaced(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Replicas: 1, NodeTimeout: 2 * time.Second})
	p := c.Primaries()
	s := serve(t, c.Seeds(), unasked...)
	key := func(i int, name string) string { return valkeytest.KeyIn(uint16(100+i*5461), name) }
	s.want(t, pipeline(cmd("SET", key(0, "k"), "v"), cmd("SET", key(1, "k"), "v")), "OK", "OK")
	s.want(t, atomicBatch(cmd("SET", key(0, "k"), "v")), "OK")
	s.want(t, pipeline(cmd("BLPOP", key(0, "list"), "0.01")), "nil")
	p[0].Pause(t)
	defer p[0].Resume(t)
	var callers sync.WaitGroup
	const timeout = patience
	start := time.Now()
	callers.Go(func() {
		results := s.must(t, pipeline(cmd("SET", key(0, "k"), "w"), cmd("GET", key(1, "k"))).timed(timeout, false, false))
		wantError(t, results[0], "CONNECTION", unknown, p[0].Addr())
		if got := render(results[1]); got != `"v"` {
			t.Errorf("the healthy node's result is %s", got)
		}
	})
	callers.Go(func() {
		s.want(t, pipeline(cmd("SET", key(0, "other"), "w"), cmd("GET", key(1, "k"))).timed(timeout, true, true), "OK", `"v"`)
	})
	callers.Go(func() {
		wantError(t, s.must(t, pipeline(cmd("BLPOP", key(0, "list"), "0")).timed(timeout, false, false))[0], "CONNECTION", unknown, p[0].Addr())
	})
	callers.Go(func() {
		wantError(t, s.must(t, atomicBatch(cmd("SET", key(0, "k"), "x")).within(true, timeout))[0], "CONNECTION", unknown, p[0].Addr())
	})
	callers.Wait()
	if took := time.Since(start); took > patience/2 {
		t.Errorf("it took %v", took)
	}
}

// A primary that had failed and is back may take its time: what is known of it from before is not
// held against it.
func TestAcceptance113_133_BackAfterFailing(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{NodeTimeout: 2 * time.Second, Args: []string{"--cluster-require-full-coverage", "no"}})
	p := c.Primaries()
	s := serve(t, c.Seeds(), unasked...)
	key := valkeytest.KeyIn(100, "list")
	s.want(t, pipeline(cmd("BLPOP", key, "0.01")), "nil")
	p[0].Kill(t)
	failed := func() bool { return strings.Contains(p[1].Text(t, "CLUSTER", "NODES"), "master,fail ") }
	valkeytest.Eventually(t, "the topology says that it has failed", func() error {
		s.must(t, pipeline(cmd("GET", key))) // which has it looked at
		if !strings.Contains(s.Logs.String(), "failed=["+p[0].Addr()+"]") {
			return errNotYet
		}
		return nil
	})
	p[0].Start(t)
	valkeytest.Eventually(t, "the primary is back", func() error {
		if failed() {
			return errNotYet
		}
		return nil
	})
	time.Sleep(2 * time.Second) // the pause before the next dial is over, so that it says nothing new
	s.want(t, pipeline(cmd("BLPOP", key, "4")).timed(patience, false, false), "nil")
}

func TestAcceptance133_134_Restarts(t *testing.T) {
	srv := valkeytest.StartServer(t)
	srv.Stop(t)
	s := start(t, "--valkey", srv.Addr())
	// Down from the start: the server serves, says so, and nothing is sent.
	s.AwaitHealth(t, healthpb.HealthCheckResponse_NOT_SERVING)
	f := s.fail(t, pipeline(cmd("SET", "k", "v")), codes.Unavailable)
	if !f.retry {
		t.Error("UNAVAILABLE without RetryInfo")
	}
	s.fail(t, atomicBatch(cmd("SET", "k", "v")), codes.Unavailable)
	srv.Start(t)
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	s.want(t, pipeline(cmd("SET", "k", "v"), cmd("SELECT", "1"), cmd("SET", "k", "in 1")), "OK", "OK", "OK")
	s.want(t, atomicBatch(cmd("GET", "k")), `"v"`)
	s.want(t, pipeline(cmd("BLPOP", "list", "0.01")), "nil")

	// While idle: the next batches of every kind work at once.
	for range 2 {
		srv.Kill(t)
		srv.Start(t)
		s.want(t, pipeline(cmd("SET", "k", "v")), "OK")
		s.want(t, atomicBatch(cmd("GET", "k")), `"v"`)
		s.want(t, pipeline(cmd("BLPOP", "list", "0.01")), "nil")
	}

	// While busy: callers get honest errors meanwhile, and results soon after.
	var callers sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	seen := map[string]int{}
	for i := range 8 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				k := fmt.Sprintf("busy%d", i)
				r := pipeline(cmd("SET", k, strconv.Itoa(n)), cmd("GET", k))
				if n%2 == 1 {
					r.Batch.IsAtomic = true
				}
				resp, err := s.send(r)
				what := "OK"
				switch {
				case err != nil:
					what = failureOf(err).code.String()
				case resp.GetFailedCount() > 0:
					what = "errors in place"
					for _, v := range resp.GetResults() {
						if e := v.GetErrorValue(); e != nil && e.GetCode() != "CONNECTION" {
							what = "code " + e.GetCode()
						}
					}
				case render(resp.GetResults()[1]) != strconv.Quote(strconv.Itoa(n)):
					what = "wrong value"
				}
				mu.Lock()
				seen[what]++
				mu.Unlock()
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	srv.Kill(t)
	time.Sleep(300 * time.Millisecond)
	srv.Start(t)
	back := time.Now()
	valkeytest.Eventually(t, "batches to work", func() error {
		_, err := s.send(pipeline(cmd("PING")))
		return err
	})
	if took := time.Since(back); took > 5*time.Second {
		t.Errorf("the service came back %v after the server", took)
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	callers.Wait()
	for what, n := range seen {
		switch what {
		case "OK", "errors in place", codes.Unavailable.String():
		default:
			t.Errorf("%d times %s", n, what)
		}
	}
	// A retry spans the restart, and keeps the order of what it sends again.
	srv.Kill(t)
	time.AfterFunc(500*time.Millisecond, func() { srv.Start(t) })
	results := s.must(t, pipeline(append(letters("list"), cmd("LRANGE", "list", "0", "-1"))...).retry(false, true, true).within(false, patience/2))
	if got := render(results[26]); got != alphabet() {
		t.Errorf("the list is %s", got)
	}
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	srv.Stop(t)
	s.AwaitHealth(t, healthpb.HealthCheckResponse_NOT_SERVING)
}

func TestAcceptance134_ClusterDownFromTheStart(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	for _, n := range c.Nodes() {
		n.Stop(t)
	}
	s := start(t, "--valkey", strings.Join(c.Seeds(), ","))
	s.AwaitHealth(t, healthpb.HealthCheckResponse_NOT_SERVING)
	s.fail(t, pipeline(cmd("SET", "k", "v")), codes.Unavailable)
	for _, n := range c.Nodes() {
		n.Start(t)
	}
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	s.want(t, pipeline(cmd("MSET", "a", "1", "b", "2", "c", "3"), cmd("MGET", "a", "b", "c")).timed(patience/2, true, false), "OK", `["1" "2" "3"]`)
	// All gone and back while the server runs.
	for _, n := range c.Nodes() {
		n.Kill(t)
	}
	s.fail(t, pipeline(cmd("SET", "k", "v")), codes.Unavailable)
	s.AwaitHealth(t, healthpb.HealthCheckResponse_NOT_SERVING)
	for _, n := range c.Nodes() {
		n.Start(t)
	}
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	s.want(t, pipeline(cmd("MGET", "a", "b", "c")).timed(patience/2, true, true), "[nil nil nil]")
}
