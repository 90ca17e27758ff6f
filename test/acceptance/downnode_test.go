package acceptance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// partialCluster keeps serving what it has when a part of it is down.
func partialCluster(t *testing.T) *valkeytest.Cluster {
	t.Helper()
	return valkeytest.StartCluster(t, valkeytest.ClusterOptions{Args: []string{"--cluster-require-full-coverage", "no"}})
}

func TestAcceptance099_113_114_OnePrimaryDown(t *testing.T) {
	c := partialCluster(t)
	p := c.Primaries()
	s := serve(t, c.Seeds())
	key := func(i int, name string) string { return valkeytest.KeyIn(uint16(100+i*5461), name) }
	setup := pipeline(cmd("MSET", key(0, "k"), "0", key(1, "k"), "1", key(2, "k"), "2"))
	s.want(t, setup, "OK")
	dead := p[1].Addr()

	// Lost while it works on a blocking command: that one is unknown, all else is as ever.
	time.AfterFunc(400*time.Millisecond, func() { p[1].Kill(t) })
	results := s.must(t, pipeline(cmd("INCR", key(0, "n")), cmd("BLPOP", key(1, "list"), "0"), cmd("INCR", key(2, "n"))))
	if got := renderAll(results); got[0] != "1" || got[2] != "1" {
		t.Errorf("results %q", got)
	}
	wantError(t, results[1], "CONNECTION", unknown, dead)

	// The end of the shared connection may reach the service a moment later than that of the
	// blocking one; what is written to it in between is unknown, as it has to be.
	valkeytest.Eventually(t, "the lost connection to be noticed", func() error {
		v := s.must(t, pipeline(cmd("GET", key(1, "k"))))[0]
		if v.GetErrorValue().GetOutcome() != notExecuted {
			return errNotYet
		}
		return nil
	})

	for _, moment := range []string{"at once", "again", "found out by the others"} {
		t.Run("113_"+moment, func(t *testing.T) {
			if strings.HasPrefix(moment, "found") {
				c.WaitAgreement(t)
				valkeytest.Eventually(t, "the node to be failed", func() error {
					if text := p[0].Text(t, "CLUSTER", "NODES"); !strings.Contains(text, ",fail ") && !strings.Contains(text, "master,fail") {
						return errNotYet
					}
					return nil
				})
			}
			start := time.Now()
			results := s.must(t, pipeline(
				cmd("GET", key(0, "k")), cmd("SET", key(1, "k"), "x"), cmd("GET", key(2, "k")), cmd("PING"), cmd("GET", key(1, "k")),
			))
			if took := time.Since(start); took > 2500*time.Millisecond {
				t.Errorf("it took %v of the default timeout of 5 s", took)
			}
			if got := renderAll(results); got[0] != `"0"` || got[2] != `"2"` {
				t.Errorf("results %q", got)
			}
			wantError(t, results[1], "CONNECTION", notExecuted, dead)
			wantError(t, results[3], "CONNECTION", ran, dead) // all primaries are asked
			wantError(t, results[4], "CONNECTION", notExecuted, dead)
		})
	}

	t.Run("113_retry", func(t *testing.T) {
		const timeout = 5 * time.Second
		start := time.Now()
		results := s.must(t, pipeline(cmd("GET", key(0, "k")), cmd("GET", key(1, "k"))).timed(timeout, true, true))
		if took := time.Since(start); took > timeout {
			t.Errorf("it took %v, beyond the timeout", took)
		}
		if got := render(results[0]); got != `"0"` {
			t.Errorf("the healthy node's result is %s", got)
		}
		wantError(t, results[1], "CONNECTION", notExecuted, dead)
	})

	t.Run("113_raise", func(t *testing.T) {
		f := s.fail(t, pipeline(cmd("GET", key(0, "k")), cmd("GET", key(1, "k"))).raise(), codes.Aborted)
		if f.metadata["index"] != "1" || f.metadata["node"] != dead || f.metadata["outcome"] != "OUTCOME_NOT_EXECUTED" {
			t.Errorf("metadata %v", f.metadata)
		}
		s.fail(t, pipeline(cmd("GET", key(1, "k"))).raise(), codes.Unavailable)
	})

	t.Run("114", func(t *testing.T) {
		results := s.must(t, pipeline(
			cmd("DBSIZE"), cmd("KEYS", "*"), cmd("MGET", key(0, "k"), key(1, "k"), key(2, "k")),
			cmd("DEL", key(0, "k"), key(1, "k")), cmd("GET", key(2, "k")), cmd("INFO"), cmd("RANDOMKEY"),
		))
		for i, outcome := range map[int]valkeybatchv1.Outcome{0: ran, 1: ran, 2: ran, 3: ran, 5: ran} {
			wantError(t, results[i], "CONNECTION", outcome, dead)
			if m := results[i].GetErrorValue().GetMessage(); !strings.Contains(m, dead) {
				t.Errorf("result %d: %q does not name the node", i, m)
			}
		}
		if got := render(results[4]); got != `"2"` {
			t.Errorf("the neighbour's result is %s", got)
		}
		// One part alone, of nothing but the dead node's keys, had certainly no effect.
		wantError(t, s.must(t, pipeline(cmd("DEL", key(1, "k"), valkeytest.KeyIn(5562, "k"))))[0], "CONNECTION", notExecuted, dead)
	})

	t.Run("atomic", func(t *testing.T) {
		for _, v := range s.must(t, atomicBatch(cmd("GET", key(1, "k")), cmd("SET", key(1, "k"), "v"))) {
			wantError(t, v, "CONNECTION", notExecuted, dead)
		}
	})
}

// A node that hangs takes new connections and says nothing on them.
func TestAcceptance113_OnePrimaryHangs(t *testing.T) {
	c := partialCluster(t)
	p := c.Primaries()
	key := func(i int, name string) string { return valkeytest.KeyIn(uint16(100+i*5461), name) }
	s := serve(t, c.Seeds())
	p[1].Pause(t)
	defer p[1].Resume(t)
	start := time.Now()
	results := s.must(t, pipeline(cmd("SET", key(0, "k"), "v"), cmd("SET", key(1, "k"), "v"), cmd("SET", key(2, "k"), "v")))
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v of the default timeout of 5 s", took)
	}
	if got := renderAll(results); got[0] != "OK" || got[2] != "OK" {
		t.Errorf("results %q", got)
	}
	wantError(t, results[1], "CONNECTION", notExecuted, p[1].Addr())
}

// A node that hangs under connections that are open already: the batch that finds out runs
// into its timeout, as the contract says of timeouts. The ones after it do not wait for the
// node any more, and keep the other nodes' results.
func TestAcceptance113_OnePrimaryHangsUnderOpenConnections(t *testing.T) {
	c := partialCluster(t)
	p := c.Primaries()
	key := func(i int, name string) string { return valkeytest.KeyIn(uint16(100+i*5461), name) }
	s := serve(t, c.Seeds())
	batch := func() request {
		return pipeline(cmd("SET", key(0, "k"), "v"), cmd("SET", key(1, "k"), "v"), cmd("SET", key(2, "k"), "v"))
	}
	s.want(t, batch(), "OK", "OK", "OK")
	p[1].Pause(t)
	defer p[1].Resume(t)
	f := s.fail(t, batch().within(true, 1500*time.Millisecond), codes.DeadlineExceeded)
	if f.metadata["answered"] != "2" || f.metadata["total"] != "3" {
		t.Errorf("metadata %v, want 2 of 3 answered", f.metadata)
	}
	for range 3 {
		results := s.must(t, batch())
		if got := renderAll(results); got[0] != "OK" || got[2] != "OK" {
			t.Errorf("results %q", got)
		}
		wantError(t, results[1], "CONNECTION", notExecuted, p[1].Addr())
	}
}

func TestAcceptance106_OneNodeRefusesItsPartOfAFanOut(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	p := c.Primaries()
	s := serve(t, c.Seeds())
	k := valkeytest.KeyIn(14000, "k")
	p[1].MustDo(t, "ACL", "SETUSER", "default", "-dbsize", "-keys", "-mget")
	results := s.must(t, pipeline(cmd("SET", k, "v"), cmd("DBSIZE"), cmd("GET", k), cmd("KEYS", "*"),
		cmd("MGET", k, valkeytest.KeyIn(6000, "k")), cmd("MGET", k, valkeytest.KeyIn(1, "k"))))
	if got := renderAll(results); got[0] != "OK" || got[2] != `"v"` || got[5] != `["v" nil]` {
		t.Errorf("the neighbours' results are %q", got)
	}
	for _, i := range []int{1, 3, 4} {
		wantError(t, results[i], "NOPERM", ran, p[1].Addr())
	}
	f := s.fail(t, pipeline(cmd("GET", k), cmd("DBSIZE")).raise(), codes.PermissionDenied)
	if f.metadata["node"] != p[1].Addr() || f.metadata["index"] != "1" {
		t.Errorf("metadata %v", f.metadata)
	}
}

// A cluster none of whose nodes is known to serve anything: what is to go to all of them goes
// to none, and is never answered by the one that comes first. Real nodes name themselves at
// least; so they are scripted.
func TestAcceptance109_FanOutToNobody(t *testing.T) {
	sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
		if args[0] == "DBSIZE" {
			return []byte(":7\r\n")
		}
		return nil
	})
	owners := sc.owners.Swap(&[]int{})
	s := serve(t, sc.seeds(), "--topology-refresh", "1s")
	time.AfterFunc(500*time.Millisecond, func() { sc.owners.Store(owners) })
	v := s.must(t, pipeline(cmd("DBSIZE")).timed(patience/2, true, true))[0]
	wantError(t, v, "CONNECTION", notExecuted, "")
	f := s.fail(t, pipeline(cmd("DBSIZE")).raise(), codes.Unavailable)
	if !f.retry {
		t.Error("UNAVAILABLE without RetryInfo")
	}
	valkeytest.Eventually(t, "the nodes to be known", func() error {
		if got := render(s.must(t, pipeline(cmd("DBSIZE")))[0]); got != "14" {
			return errors.New(got)
		}
		return nil
	})
}
