package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// movedErrors is how many MOVED all nodes together have answered with.
func movedErrors(t *testing.T, c *valkeytest.Cluster, prefix string) (total int) {
	t.Helper()
	for _, n := range c.Nodes() {
		total += n.ErrorStats(t, prefix)
	}
	return total
}

func TestAcceptance089_090_091_094_118_SlotsMovedBehindTheMap(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	p := c.Primaries()
	// Each case has slots of its own, moved from the first primary to the second.
	move := func(slot uint16) { c.MoveSlot(t, slot, p[0], p[1]) }
	home := func(name string) string { return valkeytest.KeyIn(9000, name) } // stays on the second primary

	t.Run("089", func(t *testing.T) {
		s := serve(t, c.Seeds(), unasked...)
		k := func(name string) string { return valkeytest.KeyIn(10, name) }
		s.want(t, pipeline(cmd("SET", home("n"), "4"), cmd("SET", k("old"), "kept")), "OK", "OK")
		move(10)
		c.ConfigResetStat(t)
		batch := pipeline(cmd("INCR", home("n")), cmd("SET", k("k"), "value"), cmd("GET", k("k")))
		s.want(t, batch, "5", "OK", `"value"`)
		if n := p[0].ErrorStats(t, "MOVED"); n != 2 || movedErrors(t, c, "MOVED") != 2 {
			t.Errorf("the old owner answered MOVED %d times, all together %d; want 2: once per command", n, movedErrors(t, c, "MOVED"))
		}
		s.want(t, pipeline(cmd("GET", k("old")), cmd("GET", k("k"))), `"kept"`, `"value"`)
		if n := movedErrors(t, c, "MOVED"); n != 2 {
			t.Errorf("%d MOVED after the next batch, want still 2: the map was patched", n)
		}
	})

	t.Run("090", func(t *testing.T) {
		s := serve(t, c.Seeds(), unasked...)
		k := func(name string) string { return valkeytest.KeyIn(11, name) }
		move(11)
		c.ConfigResetStat(t)
		s.want(t, atomicBatch(cmd("SET", k("k"), "value"), cmd("GET", k("k")), cmd("INCR", k("n"))), "OK", `"value"`, "1")
		if n := p[0].ErrorStats(t, "MOVED"); n != 3 {
			t.Errorf("the old owner answered MOVED %d times, want once per queued command", n)
		}
		if n := p[1].CommandStats(t, "exec"); n != 1 {
			t.Errorf("the new owner ran %d transactions, want 1", n)
		}
	})

	t.Run("091", func(t *testing.T) {
		s := serve(t, c.Seeds(), unasked...)
		k := func(name string) string { return valkeytest.KeyIn(12, name) }
		other := func(name string) string { return valkeytest.KeyIn(13000, name) }
		move(12)
		c.ConfigResetStat(t)
		s.want(t, pipeline(
			cmd("MSET", k("a"), "1", other("b"), "2", k("c"), "3", home("d"), "4"),
			cmd("INCR", other("n")),
			cmd("DEL", home("d"), k("c"), other("none")),
			cmd("SET", k("e"), "5"),
			cmd("MGET", home("d"), k("a"), other("b"), k("e"), k("a")),
		), "OK", "1", "2", "OK", `[nil "1" "2" "5" "1"]`)
		if n := movedErrors(t, c, "MOVED"); n != 4 {
			t.Errorf("%d MOVED, want 4: the moved slot's parts of MSET, DEL and MGET, and SET", n)
		}
	})

	// The reference's "retries 0": the cap on redirects is at least 1 here, so that the slot
	// has moved once and is on its way further, which takes two.
	t.Run("089_090_091_cap", func(t *testing.T) {
		s := serve(t, c.Seeds(), append([]string{"--max-redirects", "1"}, unasked...)...)
		k := func(name string) string { return valkeytest.KeyIn(13, name) }
		other := func(name string) string { return valkeytest.KeyIn(13001, name) }
		s.want(t, pipeline(cmd("SET", other("n"), "4")), "OK")
		move(13)
		c.BeginMigration(t, 13, p[1], p[2])
		ask := fmt.Sprintf("!ASK 13 %s", p[2].Addr())
		batch := pipeline(cmd("INCR", other("n")), cmd("SET", k("k"), "value"), cmd("MSET", k("a"), "1", other("b"), "2"))
		results := s.must(t, batch)
		if got := renderAll(results); got[0] != "5" || got[1] != ask || !strings.HasPrefix(got[2], ask) {
			t.Errorf("results %q, want 5, and %s on the moved slot's commands only", got, ask)
		}
		wantError(t, results[1], "ASK", notExecuted, p[1].Addr())
		wantError(t, results[2], "ASK", ran, p[1].Addr()) // its other part took effect
		s.want(t, pipeline(cmd("GET", other("b"))), `"2"`)

		fresh := serve(t, c.Seeds(), append([]string{"--max-redirects", "1"}, unasked...)...)
		c.FinishMigration(t, 13, p[1], p[2])
		c.BeginMigration(t, 13, p[2], p[0])
		// fresh believes in p[1] still: MOVED to p[2], ASK to p[0], one too many.
		f := fresh.fail(t, atomicBatch(cmd("SET", k("k"), "value")), codes.Unavailable)
		if f.metadata["code"] != "ASK" || f.metadata["transaction"] != "EXECABORT" || f.metadata["outcome"] != "OUTCOME_NOT_EXECUTED" {
			t.Errorf("metadata %v, want code ASK, EXECABORT, not executed", f.metadata)
		}
		for _, n := range p {
			if got := n.Text(t, "CLUSTER", "COUNTKEYSINSLOT", "13"); got != "0" {
				t.Errorf("%s holds %s keys of the slot, want none: nothing of it ran", n.Addr(), got)
			}
		}
	})

	t.Run("118_MOVED", func(t *testing.T) {
		s := serve(t, c.Seeds(), unasked...)
		k := valkeytest.KeyIn(14, "list")
		move(14)
		c.ConfigResetStat(t)
		commands := append(letters(k), cmd("LRANGE", k, "0", "-1"))
		results := s.must(t, pipeline(commands...))
		if got := render(results[26]); got != alphabet() {
			t.Errorf("the list is %s", got)
		}
		if n := p[0].ErrorStats(t, "MOVED"); n != 27 {
			t.Errorf("%d MOVED, want 27", n)
		}
	})
}
