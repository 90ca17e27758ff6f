package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// awake waits until every node of the cell's deployment answers again.
func (e *env) awake(t testing.TB) {
	t.Helper()
	if !e.isCluster {
		e.server.MustDo(t, "PING")
		return
	}
	for _, n := range e.nodes.Nodes() {
		n.MustDo(t, "PING")
	}
}

// awaitBlocked waits until a node has so many blocked clients.
func awaitBlocked(t testing.TB, node *valkeytest.Server, want string) {
	t.Helper()
	valkeytest.Eventually(t, want+" blocked clients", func() error {
		if got := node.Info(t, "clients", "blocked_clients"); got != want {
			return fmt.Errorf("%s are", got)
		}
		return nil
	})
}

func TestAcceptance060_InFlightLimit(t *testing.T) {
	ownMatrix(t, "SC", []string{"--max-in-flight-batches", "1"}, func(t *testing.T, e *env) {
		list := e.k("list")
		blocked := make(chan []string, 1)
		go func() {
			resp, err := e.send(pipeline(cmd("BLPOP", list, "30")).within(e.isCluster, patience))
			if err != nil {
				blocked <- []string{describe(err)}
				return
			}
			blocked <- renderAll(resp.GetResults())
		}()
		awaitBlocked(t, e.owner(t, list), "1")

		w := watchEnv(t, e)
		for _, r := range []request{pipeline(cmd("SET", e.k("s"), "v")), atomicBatch(cmd("SET", e.k("s"), "v"))} {
			f := e.fail(t, r, codes.ResourceExhausted)
			f.wantMetadata(t, map[string]string{"limit": "batches in flight", "actual": "2", "allowed": "1"})
			if !f.retry || f.reason != "OVERLOADED" {
				t.Errorf("reason %s, RetryInfo %v", f.reason, f.retry)
			}
			if !strings.Contains(f.message, "2 with this one") || !strings.Contains(f.message, "1 are allowed") {
				t.Errorf("message %q lacks the figures", f.message)
			}
		}
		w.nothingSent(t)

		e.owner(t, list).MustDo(t, "RPUSH", list, "x")
		if got := fmt.Sprint(<-blocked); got != fmt.Sprintf("[[%q \"x\"]]", list) {
			t.Errorf("BLPOP answered %s", got)
		}
		e.want(t, pipeline(cmd("SET", e.k("s"), "v")), "OK")
	})
}

func TestAcceptance069_TimeoutWhileTheServerIsBusy(t *testing.T) {
	adminMatrix(t, "SC", "AP", func(t *testing.T, e *env) {
		f := e.fail(t, e.batch(cmd("DEBUG", "SLEEP", "0.5")).within(e.isCluster, 100*time.Millisecond), codes.DeadlineExceeded)
		f.wantMetadata(t, map[string]string{"answered": "0", "total": "1", "timeout": "100ms"})
		if !strings.Contains(f.message, "0 of 1 commands were answered") {
			t.Errorf("message %q", f.message)
		}
		e.awake(t)
		values := e.must(t, e.batch(cmd("DEBUG", "SLEEP", "0.1")).within(e.isCluster, patience))
		if e.isCluster && !e.isAtomic {
			// On a cluster DEBUG goes to all primaries.
			if got := len(values[0].GetMapValue().GetEntries()); got != 3 {
				t.Errorf("DEBUG SLEEP answered %s", render(values[0]))
			}
		} else if got := render(values[0]); got != "OK" {
			t.Errorf("DEBUG SLEEP answered %s", got)
		}
	})
}

func TestAcceptance069_DeadlineTellsHowFarTheBatchGot(t *testing.T) {
	matrix(t, "C", "P", func(t *testing.T, e *env) {
		nodes := e.nodes.Primaries()
		slow, quick := e.nodes.KeyFor(t, nodes[0], e.tag), e.nodes.KeyFor(t, nodes[1], e.tag)
		sleeper := nodes[0].Dial(t)
		sleeper.Send(t, "DEBUG", "SLEEP", "1.5")
		r := pipeline(cmd("SET", quick, "v"), cmd("GET", slow), cmd("MGET", slow, quick), cmd("GET", quick))
		f := e.fail(t, r.within(true, 700*time.Millisecond), codes.DeadlineExceeded)
		f.wantMetadata(t, map[string]string{"answered": "2", "total": "4", "timeout": "700ms"})
		sleeper.Receive(t)
		e.want(t, pipeline(cmd("GET", quick)), `"v"`)
	})
}

func TestAcceptance069_ServerMaximumCutsTheTimeout(t *testing.T) {
	ownMatrix(t, "SC", []string{"--default-timeout", "200ms", "--max-timeout", "300ms"}, func(t *testing.T, e *env) {
		r := pipeline(cmd("BLPOP", e.k("list"), "0"))
		f := e.fail(t, r, codes.DeadlineExceeded)
		f.wantMetadata(t, map[string]string{"timeout": "200ms"})
		f = e.fail(t, r.within(e.isCluster, time.Hour), codes.DeadlineExceeded)
		f.wantMetadata(t, map[string]string{"timeout": "300ms"})
		awaitBlocked(t, e.owner(t, e.k("list")), "0")
	})
}

func TestAcceptance070_GetUnderClientPause(t *testing.T) {
	ownMatrix(t, "SC", nil, func(t *testing.T, e *env) {
		node := e.owner(t, e.k("s"))
		node.MustDo(t, "SET", e.k("s"), "v")
		for _, r := range []request{pipeline(cmd("GET", e.k("s"))), atomicBatch(cmd("GET", e.k("s")))} {
			node.MustDo(t, "CLIENT", "PAUSE", "400", "ALL")
			f := e.fail(t, r.within(e.isCluster, time.Millisecond), codes.DeadlineExceeded)
			f.wantMetadata(t, map[string]string{"answered": "0", "total": "1", "timeout": "1ms"})
			e.want(t, r.within(e.isCluster, patience), `"v"`)
		}
	})
}

func TestAcceptance071_BlockingCommandWithinTheTimeout(t *testing.T) {
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		e.want(t, pipeline(
			cmd("SET", e.k("s"), "v"), cmd("GET", e.k("s")), cmd("BLPOP", e.k("none"), "1"), cmd("GET", e.k("missing")),
		).within(e.isCluster, patience), "OK", `"v"`, "nil", "nil")
	})
}

func TestAcceptance072_BatchTimeoutOverridesTheDefault(t *testing.T) {
	ownMatrix(t, "SC", []string{"--default-timeout", "250ms"}, func(t *testing.T, e *env) {
		batch := func() request { return pipeline(cmd("BLPOP", e.k("none"), "0.6"), cmd("ECHO", "x")) }
		f := e.fail(t, batch(), codes.DeadlineExceeded)
		f.wantMetadata(t, map[string]string{"timeout": "250ms", "total": "2"})
		// The server's blocked client goes with the batch.
		awaitBlocked(t, e.owner(t, e.k("none")), "0")
		e.want(t, batch().within(e.isCluster, patience), "nil", `"x"`)
	})
}

// With 0 the command would block for ever outside a transaction.
func TestAcceptance073_BlockingCommandInATransactionDoesNotBlock(t *testing.T) {
	matrix(t, "SC", "A", func(t *testing.T, e *env) {
		e.want(t, atomicBatch(cmd("BLPOP", e.k("a"), "0"), cmd("BLPOP", e.k("b"), "0")), "nil", "nil")
		e.want(t, atomicBatch(cmd("BLPOP", e.k("a"), "2"), cmd("BLPOP", e.k("b"), "2")).within(e.isCluster, patience), "nil", "nil")
	})
}

func TestAcceptance072_BlockedBatchHoldsNobodyUp(t *testing.T) {
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		list := e.k("list")
		ended := make(chan error, 1)
		go func() {
			_, err := e.send(pipeline(cmd("BLPOP", list, "0")).within(e.isCluster, patience))
			ended <- err
		}()
		awaitBlocked(t, e.owner(t, list), "1")
		for range 50 {
			e.want(t, pipeline(cmd("INCR", e.k("n")), cmd("LLEN", list), cmd("DEL", e.k("n"))), "1", "0", "1")
			e.want(t, atomicBatch(cmd("INCR", e.k("n")), cmd("DEL", e.k("n"))), "1", "1")
		}
		e.want(t, pipeline(cmd("RPUSH", list, "x")), "1")
		if err := <-ended; err != nil {
			t.Errorf("BLPOP: %v", describe(err))
		}
	})
}
