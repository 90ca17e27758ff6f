package acceptance

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// load makes a real server load its data for about d, which is when it answers LOADING, and
// returns when it has begun. done is closed when it has ended.
func load(t *testing.T, s *valkeytest.Server, d time.Duration) (done chan struct{}) {
	t.Helper()
	const keys = 500
	conn := s.Dial(t)
	conn.Do(t, "CONFIG", "SET", "key-load-delay", "0")
	s.MustDo(t, "CONFIG", "SET", "rdbcompression", "no") // so that every few keys the server looks up from loading
	s.MustDo(t, "DEBUG", "POPULATE", fmt.Sprint(keys), valkeytest.KeyIn(1), "400")
	s.MustDo(t, "CONFIG", "SET", "loading-process-events-interval-bytes", "1024")
	s.MustDo(t, "CONFIG", "SET", "key-load-delay", fmt.Sprint(d.Microseconds()/keys))
	done = make(chan struct{})
	go func() {
		defer close(done)
		conn.Do(t, "DEBUG", "RELOAD")
	}()
	valkeytest.Eventually(t, "loading", func() error {
		if f := s.Do(t, "DBSIZE"); f.ErrorCode() != "LOADING" {
			return fmt.Errorf("not yet: %q", f)
		}
		return nil
	})
	return done
}

func TestAcceptance098_117_118_Loading(t *testing.T) {
	t.Run("S", func(t *testing.T) {
		srv := valkeytest.StartServer(t)
		s := serve(t, []string{srv.Addr()})
		s.want(t, pipeline(cmd("SET", "x", "v")), "OK")
		done := load(t, srv, 1500*time.Millisecond)
		for _, v := range s.must(t, pipeline(cmd("SET", "k", "v"), cmd("GET", "x"))) {
			wantError(t, v, "LOADING", notExecuted, srv.Addr())
		}
		// Retried together, commands keep their order.
		results := s.must(t, pipeline(append(letters("list"), cmd("LRANGE", "list", "0", "-1"), cmd("GET", "x"))...).
			retry(false, true, false).within(false, patience/2))
		if got := render(results[26]); got != alphabet() {
			t.Errorf("the list is %s", got)
		}
		if got := render(results[27]); got != `"v"` {
			t.Errorf("x is %s", got)
		}
		<-done

		// Not long enough: the error stays in place, within the timeout.
		done = load(t, srv, 5*time.Second)
		start := time.Now()
		wantError(t, s.must(t, pipeline(cmd("GET", "x")).retry(false, true, false).within(false, 2*time.Second))[0], "LOADING", notExecuted, srv.Addr())
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		s.want(t, atomicBatch(cmd("GET", "x"), cmd("SET", "k", "v")).within(false, patience/2), `"v"`, "OK")
		<-done
	})
	t.Run("C", func(t *testing.T) {
		c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Primaries: 1, Replicas: 2})
		p := c.Primaries()[0]
		replicas := c.Replicas(p)
		s := serve(t, c.Seeds(), unasked...)
		k := valkeytest.KeyIn(50, "k")
		s.want(t, pipeline(cmd("SET", k, "v"), cmd("WAIT", "2", "10000")), "OK", "2")

		// A replica that loads: a retry asks the other one.
		done := load(t, replicas[0], 1500*time.Millisecond)
		loading := 0
		for range 4 {
			v := s.must(t, pipeline(cmd("GET", k)).route(slotRoute(50, replica)))[0]
			if v.GetErrorValue() == nil {
				continue
			}
			wantError(t, v, "LOADING", notExecuted, replicas[0].Addr())
			loading++
		}
		if loading == 0 {
			t.Error("the replicas did not take turns: none of four batches met the one that loads")
		}
		for range 4 {
			start := time.Now()
			s.want(t, pipeline(cmd("GET", k)).route(slotRoute(50, replica)).timed(patience/2, true, false), `"v"`)
			if took := time.Since(start); took > time.Second {
				t.Errorf("it took %v: waited for the replica instead of asking the other", took)
			}
		}
		<-done

		// A primary that loads: a retry waits for it.
		done = load(t, p, 1500*time.Millisecond)
		wantError(t, s.must(t, pipeline(cmd("GET", k)))[0], "LOADING", notExecuted, p.Addr())
		s.want(t, pipeline(cmd("GET", k), cmd("SET", k, "w")).timed(patience/2, true, false), `"v"`, "OK")
		<-done
	})
}

func TestAcceptance097_117_ReadOnly(t *testing.T) {
	// Of two servers one is the primary; then they change places, and the service does not know.
	t.Run("S", func(t *testing.T) {
		a, b := valkeytest.StartServer(t), valkeytest.StartServer(t)
		turn := func(from, to *valkeytest.Server) {
			to.MustDo(t, "REPLICAOF", "NO", "ONE")
			from.MustDo(t, "REPLICAOF", "127.0.0.1", fmt.Sprint(to.Port()))
			valkeytest.Eventually(t, "replication", func() error {
				if from.Info(t, "replication", "master_link_status") != "up" {
					return fmt.Errorf("the link is down")
				}
				return nil
			})
		}
		turn(b, a)
		s := serve(t, []string{a.Addr(), b.Addr()}, unasked...)
		s.want(t, pipeline(cmd("SET", "k", "v"), cmd("WAIT", "1", "10000")), "OK", "1")
		turn(a, b)
		results := s.must(t, pipeline(cmd("SET", "k", "w"), cmd("GET", "k")))
		wantError(t, results[0], "READONLY", notExecuted, a.Addr())
		if got := render(results[1]); got != `"v"` {
			t.Errorf("GET beside it gives %s", got)
		}
		// The batches after it find the primary.
		valkeytest.Eventually(t, "the new primary", func() error {
			if got := render(s.must(t, pipeline(cmd("SET", "k", "x")))[0]); got != "OK" {
				return fmt.Errorf("SET: %s", got)
			}
			return nil
		})
		s.want(t, pipeline(cmd("WAIT", "1", "10000")), "1")
		turn(b, a)
		s.want(t, pipeline(letters("list")...).retry(false, true, false).within(false, patience/2), counts(26)...)
		s.want(t, pipeline(cmd("LRANGE", "list", "0", "-1"), cmd("WAIT", "1", "10000")), alphabet(), "1")
		turn(a, b)
		s.want(t, atomicBatch(cmd("SET", "k", "y"), cmd("GET", "k")).within(false, patience/2), "OK", `"y"`)
	})

	// A cluster's nodes answer MOVED where others answer READONLY, unless a proxy stands in
	// front of them; so the nodes are scripted.
	t.Run("C", func(t *testing.T) {
		var stale atomic.Bool
		stale.Store(true)
		sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
			switch {
			case args[0] == "SET" && node == 0 && stale.Load():
				return []byte("-READONLY You can't write against a read only replica.\r\n")
			case args[0] == "SET":
				return []byte("+OK\r\n")
			}
			return nil
		})
		s := serve(t, sc.seeds(), unasked...)
		batch := func() request { return pipeline(cmd("SET", sc.key(0, "k"), "v"), cmd("SET", sc.key(1, "k"), "v")) }
		asked := sc.asked.Load()
		results := s.must(t, batch())
		wantError(t, results[0], "READONLY", notExecuted, sc.nodes[0].Addr())
		if got := render(results[1]); got != "OK" {
			t.Errorf("the other node's result is %s", got)
		}
		valkeytest.Eventually(t, "a look at the topology", func() error {
			if sc.asked.Load() == asked {
				return fmt.Errorf("none yet")
			}
			return nil
		})
		// Exhausted: in place again.
		wantError(t, s.must(t, batch().timed(500*time.Millisecond, true, false))[0], "READONLY", notExecuted, sc.nodes[0].Addr())
		// The topology then says who the primary is.
		time.AfterFunc(300*time.Millisecond, func() { sc.owners.Store(&[]int{1, 1}) })
		s.want(t, batch().timed(patience/2, true, false), "OK", "OK")
		if n := countExactly(sc.nodes[1], "SET", sc.key(1, "k"), "v"); n != 3 {
			t.Errorf("the healthy node got its command %d times in three batches", n)
		}
	})
}

// Errors that come after a try without an answer do not say that the command did not run.
func TestAcceptance115_117_OutcomeAfterAnUnansweredTry(t *testing.T) {
	// A real server cannot be made to be lost and to refuse at the right moments; so it is scripted.
	for _, text := range []string{"LOADING data", "READONLY no", "CLUSTERDOWN no", "NOPERM no", "ERR no such key"} {
		t.Run(strings.Fields(text)[0], func(t *testing.T) {
			t.Parallel()
			var lost atomic.Int64
			sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
				if args[0] != "RENAMENX" {
					return nil
				}
				if lost.Add(1) == 1 {
					return valkeytest.CloseMark // it may have run
				}
				return []byte("-" + text + "\r\n")
			})
			s := serve(t, sc.seeds(), unasked...)
			for _, serverError := range []bool{false, true} {
				lost.Store(0)
				v := s.must(t, pipeline(cmd("RENAMENX", sc.key(0, "a"), sc.key(0, "b"))).timed(2*time.Second, serverError, true))[0]
				wantError(t, v, strings.Fields(text)[0], unknown, sc.nodes[0].Addr())
			}
		})
	}
}

// counts are the replies to n pushes onto an empty list.
func counts(n int) (replies []string) {
	for i := range n {
		replies = append(replies, fmt.Sprint(i+1))
	}
	return replies
}

// The pause before the next try is never so long that a batch gives up while there is time for
// shorter ones.
func TestAcceptance116_RetriesGoOnUntilTheDeadlineNears(t *testing.T) {
	sc := startScript(t, 1, func(s *script, node, conn int, args []string) []byte {
		if args[0] == "SET" {
			return []byte("-TRYAGAIN Multiple keys request during rehashing of slot\r\n")
		}
		return nil
	})
	s := serve(t, sc.seeds())
	for range 3 {
		const timeout = time.Second
		start := time.Now()
		wantError(t, s.must(t, pipeline(cmd("SET", "k", "v")).timed(timeout, true, false))[0], "TRYAGAIN", notExecuted, sc.nodes[0].Addr())
		if took := time.Since(start); took < 7*timeout/10 {
			t.Errorf("it gave up after %v of %v", took, timeout)
		}
	}
}
