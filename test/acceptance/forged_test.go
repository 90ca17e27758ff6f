package acceptance

import (
	"fmt"
	"testing"
	"time"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// forge is a script that counts its runs in a key and fails with a text of the caller's.
func forge(key, text string) *valkeybatchv1.Command {
	return cmd("EVAL", "redis.call('INCR', KEYS[1]) return {err=ARGV[1]}", "1", key, text)
}

// Scripts can fail with any text, that of a redirect too: it leads nowhere that is not a node,
// changes nothing for others, and runs nothing again.
func TestAcceptance095_ForgedRedirects(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Replicas: 1})
	p := c.Primaries()
	s := serve(t, c.Seeds(), unasked...)
	const own = 40
	other := p[1].Addr()
	replicaAddr := c.Replicas(p[0])[0].Addr()
	trap := valkeytest.StartScripted(t, func(int, []string) []byte { return valkeytest.CloseMark })
	k := func(name string) string { return valkeytest.KeyIn(own, name) }
	innocent := func(t *testing.T) {
		t.Helper()
		c.ConfigResetStat(t)
		s.want(t, pipeline(cmd("SET", k("innocent"), "v"), cmd("GET", k("innocent"))), "OK", `"v"`)
		if n := movedErrors(t, c, "MOVED"); n != 0 {
			t.Errorf("another caller's commands met %d MOVED: the map was poisoned", n)
		}
	}
	for i, text := range []string{
		fmt.Sprintf("MOVED %d %s", own, other),
		fmt.Sprintf("ASK %d %s", own, other),
		fmt.Sprintf("MOVED %d %s", own, p[0].Addr()),
		fmt.Sprintf("ASK %d %s", own, p[0].Addr()),
		fmt.Sprintf("MOVED %d %s", own, replicaAddr),
		fmt.Sprintf("ASK %d %s", own, replicaAddr),
		fmt.Sprintf("MOVED %d %s", own+1, other),
		fmt.Sprintf("ASK %d %s", own+1, other),
		fmt.Sprintf("MOVED %d %s", own, trap.Addr()),
		fmt.Sprintf("ASK %d %s", own, trap.Addr()),
		fmt.Sprintf("MOVED %d :%d", own, p[1].Port()),
		fmt.Sprintf("MOVED %d %s", own, "localhost:1"),
		fmt.Sprintf("MOVED %d", own),
		fmt.Sprintf("MOVED %d %s %s", own, other, other),
		fmt.Sprintf("MOVED -1 %s", other),
		fmt.Sprintf("MOVED 99999 %s", other),
		"MOVED x y:z", "ASK", "MOVED", "ASK  ",
	} {
		t.Run(text, func(t *testing.T) {
			n := k(fmt.Sprintf("n%d", i))
			start := time.Now()
			results := s.must(t, pipeline(forge(n, text), cmd("SET", k("after"), "v")).within(true, 20*time.Second))
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			e := results[0].GetErrorValue()
			if e == nil || e.GetOutcome() == notExecuted {
				t.Errorf("the result is %v, want an error that does not deny the script's effects", results[0])
			}
			if got := render(results[1]); got != "OK" {
				t.Errorf("its neighbour's result is %s", got)
			}
			s.want(t, pipeline(cmd("GET", n)), `"1"`) // ran once
			innocent(t)
		})
	}
	t.Run("atomic", func(t *testing.T) {
		text := fmt.Sprintf("MOVED %d %s", own, other)
		s.want(t, atomicBatch(forge(k("tx"), text), cmd("INCR", k("tx"))), "!"+text, "2")
		innocent(t)
	})
	t.Run("many", func(t *testing.T) {
		var commands []*valkeybatchv1.Command
		for range 300 {
			commands = append(commands, forge(k("many"), fmt.Sprintf("MOVED %d %s", own, trap.Addr())))
		}
		start := time.Now()
		for _, v := range s.must(t, pipeline(commands...).within(true, 20*time.Second)) {
			wantError(t, v, "MOVED", ran, p[0].Addr())
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("300 forged redirects took %v: each has the topology read anew", took)
		}
		innocent(t)
	})
	// Texts of passing conditions do not make the service drop what others use.
	t.Run("passing", func(t *testing.T) {
		innocent(t)
		before := p[0].Info(t, "stats", "total_connections_received")
		s.must(t, pipeline(forge(k("passing"), "READONLY You can't write against a read only replica.")).timed(time.Second, true, false))
		after := p[0].Info(t, "stats", "total_connections_received")
		var a, b int
		fmt.Sscan(before, &a)
		fmt.Sscan(after, &b)
		// The test's own questions and the server's look at the topology make a few.
		if b-a > 3 {
			t.Errorf("%d new connections to the node", b-a)
		}
		innocent(t)
	})
	if n := trap.Connections(); n != 0 {
		t.Errorf("the service connected %d times to a host that is not a node", n)
	}
}
