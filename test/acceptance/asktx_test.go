package acceptance

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Transactions that are redirected by ASK, beside others on the same nodes: the importing
// node takes a command only right behind ASKING and MULTI, so that anything that slipped in
// between would show as MOVED, as a wrong count, or as a mixed transaction.
func TestAcceptance120_AskedTransactionsUnderLoad(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	p := c.Primaries()
	s := serve(t, c.Seeds(), unasked...)
	const slot = 60
	k := func(name string) string { return valkeytest.KeyIn(slot, name) }
	c.BeginMigration(t, slot, p[0], p[1])
	c.ConfigResetStat(t)
	var callers sync.WaitGroup
	stop := make(chan struct{})
	running := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	done := make([]int, 8)
	check := func(what string, r request, want ...string) bool {
		resp, err := s.send(r)
		if err != nil {
			t.Errorf("%s: %v", what, describe(err))
			return false
		}
		if got := renderAll(resp.GetResults()); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", what, got, want)
			return false
		}
		return true
	}
	for i := range done {
		callers.Go(func() { // asked: INCR of two keys of the slot, alike in every transaction
			a, b := k(fmt.Sprintf("a%d", i)), k(fmt.Sprintf("b%d", i))
			for n := 1; running(); n++ {
				if !check("asked transaction", atomicBatch(cmd("INCR", a), cmd("INCR", b), cmd("MGET", a, b)),
					strconv.Itoa(n), strconv.Itoa(n), fmt.Sprintf(`["%d" "%d"]`, n, n)) {
					return
				}
				done[i] = n
			}
		})
	}
	for i := range 4 {
		callers.Go(func() { // ordinary transactions and pipelines on the importing node
			own := valkeytest.KeyIn(6000+uint16(i), "n")
			for n := 1; running(); n += 2 {
				if !check("ordinary transaction", atomicBatch(cmd("INCR", own), cmd("GET", own)), strconv.Itoa(n), strconv.Quote(strconv.Itoa(n))) ||
					!check("pipeline", pipeline(cmd("INCR", own), cmd("GET", own)), strconv.Itoa(n+1), strconv.Quote(strconv.Itoa(n+1))) {
					return
				}
			}
		})
	}
	callers.Go(func() { // asked pipelines of the same slot
		for n := 1; running(); n++ {
			if !check("asked pipeline", pipeline(cmd("INCR", k("p")), cmd("GET", k("p"))), strconv.Itoa(n), strconv.Quote(strconv.Itoa(n))) {
				return
			}
		}
	})
	time.Sleep(2 * time.Second)
	c.FinishMigration(t, slot, p[0], p[1]) // and on they go, MOVED by now
	time.Sleep(500 * time.Millisecond)
	close(stop)
	callers.Wait()
	for i, n := range done {
		if n < 3 {
			t.Errorf("caller %d got through %d transactions only", i, n)
		}
		a := string(p[1].Text(t, "GET", k(fmt.Sprintf("a%d", i))))
		if a != strconv.Itoa(n) {
			t.Errorf("counter %d is %s after %d transactions", i, a, n)
		}
	}
	if n := p[1].ErrorStats(t, "MOVED"); n != 0 {
		t.Errorf("the importing node answered MOVED %d times: commands came without ASKING", n)
	}
}
