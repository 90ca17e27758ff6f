package acceptance

import (
	"strconv"
	"strings"
	"testing"
	"time"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestAcceptance092_093_096_118_SlotsMigrating(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	p := c.Primaries()
	s := serve(t, c.Seeds(), unasked...)
	begin := func(t *testing.T, slot uint16) { c.BeginMigration(t, slot, p[0], p[1]); c.ConfigResetStat(t) }

	t.Run("092", func(t *testing.T) {
		k := func(name string) string { return valkeytest.KeyIn(20, name) }
		begin(t, 20)
		batch := func() request {
			return pipeline(cmd("GET", k("k")), cmd("SET", k("k"), "value"), cmd("MGET", k("k"), k("missing")))
		}
		results := s.must(t, batch())
		if got := renderAll(results); got[0] != "nil" || got[1] != "OK" || !strings.HasPrefix(got[2], "!TRYAGAIN ") {
			t.Errorf("results %q, want nil, OK, TRYAGAIN", got)
		}
		wantError(t, results[2], "TRYAGAIN", notExecuted, p[1].Addr())
		if a, r := movedErrors(t, c, "ASK"), movedErrors(t, c, "TRYAGAIN"); a != 3 || r != 1 {
			t.Errorf("%d ASK and %d TRYAGAIN, want 3 and 1", a, r)
		}
		if n := p[1].CommandStats(t, "asking"); n != 3 {
			t.Errorf("%d ASKING, want 3", n)
		}

		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(700 * time.Millisecond)
			c.FinishMigration(t, 20, p[0], p[1])
		}()
		s.want(t, batch().timed(patience/2, true, false), `"value"`, "OK", `["value" nil]`)
		<-done
	})

	t.Run("093", func(t *testing.T) {
		k := func(name string) string { return valkeytest.KeyIn(21, name) }
		begin(t, 21)
		s.want(t, atomicBatch(cmd("GET", k("k")), cmd("SET", k("k"), "value")), "nil", "OK")
		if n := p[1].CommandStats(t, "exec"); n != 1 {
			t.Errorf("the importing node ran %d transactions, want 1", n)
		}
		if n := p[0].ErrorStats(t, "ASK"); n != 2 {
			t.Errorf("%d ASK, want 2: one redirect of both commands", n)
		}
		c.ConfigResetStat(t)
		s.want(t, pipeline(cmd("GET", k("k2")), cmd("SET", k("k2"), "value")), "nil", "OK")
		if n := p[0].ErrorStats(t, "ASK"); n != 2 {
			t.Errorf("%d ASK of a pipeline of two, want 2", n)
		}
		// The map has not moved with ASK: the slot's other keys are with the old owner still.
		c.ConfigResetStat(t)
		s.want(t, pipeline(cmd("GET", k("k"))), `"value"`)
		if n := p[0].ErrorStats(t, "ASK"); n != 1 {
			t.Errorf("%d ASK, want 1: the next command asks the slot's owner first", n)
		}
	})

	t.Run("096", func(t *testing.T) {
		moved := func(name string) string { return valkeytest.KeyIn(22, name) }
		here := func(name string) string { return valkeytest.KeyIn(23, name) }
		there := func(name string) string { return valkeytest.KeyIn(14000, name) }
		s.want(t, pipeline(cmd("MSET", moved("a"), "1", moved("b"), "2", here("c"), "3", there("d"), "4")), "OK")
		begin(t, 22)
		c.MigrateKeys(t, 22, p[0], p[1])
		c.ConfigResetStat(t)
		s.want(t, pipeline(cmd("MGET", there("d"), moved("b"), here("c"), moved("a"), here("none"), moved("b")), cmd("DEL", moved("a"), there("d"))),
			`["4" "2" "3" "1" nil "2"]`, "2")
		if a, asking := p[0].ErrorStats(t, "ASK"), p[1].CommandStats(t, "asking"); a != 2 || asking != 2 {
			t.Errorf("%d ASK and %d ASKING, want 2 and 2", a, asking)
		}
	})

	t.Run("118_ASK", func(t *testing.T) {
		k := valkeytest.KeyIn(24, "list")
		begin(t, 24)
		results := s.must(t, pipeline(append(letters(k), cmd("LRANGE", k, "0", "-1"))...))
		if got := render(results[26]); got != alphabet() {
			t.Errorf("the list is %s", got)
		}
		if n := p[0].ErrorStats(t, "ASK"); n != 27 {
			t.Errorf("%d ASK, want 27", n)
		}
	})

	// Slots that move, one after the other, while one caller pushes numbers onto a list in each,
	// batch after batch: whatever the mix of answers, the numbers stand in order, each once.
	t.Run("118_live", func(t *testing.T) {
		const lists, each = 24, 3
		key := func(list int) string { return valkeytest.KeyIn(uint16(200+list), "list") }
		moved := make(chan struct{})
		go func() {
			defer close(moved) // a move that fails ends the goroutine, and the test
			for list := range lists {
				c.MoveSlot(t, uint16(200+list), p[0], p[1])
			}
		}()
		next := 0
		for going := true; going; {
			select {
			case <-moved:
				going = false // once more, with everything moved
			default:
			}
			var pushes []*valkeybatchv1.Command
			var want []string
			for n := range each {
				for list := range lists {
					pushes = append(pushes, cmd("RPUSH", key(list), strconv.Itoa(next+n)))
					want = append(want, strconv.Itoa(next+n+1))
				}
			}
			if got := renderAll(s.must(t, pipeline(pushes...))); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("results of pushes from %d on: %q", next, got)
				<-moved
				return
			}
			next += each
		}
		var words []string
		for n := range next {
			words = append(words, strconv.Quote(strconv.Itoa(n)))
		}
		for list := range lists {
			if got := render(s.must(t, pipeline(cmd("LRANGE", key(list), "0", "-1")))[0]); got != "["+strings.Join(words, " ")+"]" {
				t.Errorf("list %d is not in order", list)
			}
		}
	})
}

func TestAcceptance092_116_MigrationLongerThanAnyNumberOfRounds(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	p := c.Primaries()
	s := serve(t, c.Seeds(), unasked...)
	k := func(name string) string { return valkeytest.KeyIn(30, name) }
	elsewhere := valkeytest.KeyIn(14000, "n")
	s.want(t, pipeline(cmd("MSET", k("a"), "1", k("b"), "2"), cmd("SET", elsewhere, "0")), "OK", "OK")
	c.BeginMigration(t, 30, p[0], p[1])
	c.MigrateKeys(t, 30, p[0], p[1], k("a"))
	batch := func() request {
		return pipeline(cmd("INCR", elsewhere), cmd("MGET", k("a"), k("b")), cmd("GET", k("b")))
	}

	// Too short: the error stays in place, and the other results arrive in time.
	const short = 5 * time.Second
	start := time.Now()
	results := s.must(t, batch().timed(short, true, false))
	if took := time.Since(start); took > short {
		t.Errorf("the results took %v, beyond the timeout", took)
	}
	if got := renderAll(results); got[0] != "1" || got[2] != `"2"` {
		t.Errorf("results %q, want 1, an error, 2", got)
	}
	wantError(t, results[1], "TRYAGAIN", notExecuted, p[0].Addr())

	// Raised, it says that others have run.
	if f := failureOf(second(s.send(batch().timed(2*time.Second, true, false).raise()))); f.metadata["code"] != "TRYAGAIN" || f.code.String() != "Aborted" {
		t.Errorf("raised: %v %v", f.code, f.metadata)
	}

	// Long enough: it succeeds when the migration ends, 3 s later.
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(3 * time.Second)
		c.MigrateKeys(t, 30, p[0], p[1])
		c.FinishMigration(t, 30, p[0], p[1])
	}()
	c.ConfigResetStat(t)
	s.want(t, batch().timed(patience/2, true, false), "3", `["1" "2"]`, `"2"`)
	<-done
	if n := movedErrors(t, c, "TRYAGAIN"); n < 5 {
		t.Errorf("only %d TRYAGAIN in 3 s: not tried again in between", n)
	}

	// An atomic batch waits without being asked to, since nothing of it has run.
	c.BeginMigration(t, 30, p[1], p[0])
	c.MigrateKeys(t, 30, p[1], p[0], k("a"))
	done = make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(time.Second)
		c.MigrateKeys(t, 30, p[1], p[0])
		c.FinishMigration(t, 30, p[1], p[0])
	}()
	s.want(t, atomicBatch(cmd("MSET", k("a"), "3", k("b"), "4"), cmd("MGET", k("a"), k("b"))), "OK", `["3" "4"]`)
	<-done
}

func second[A, B any](_ A, b B) B { return b }
