package acceptance

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// A batch larger than the sockets hold, to a node that hangs and then dies: what was written
// is unknown, what was not was certainly not executed, and the border is exact.
func TestAcceptance099_113_WrittenAndNeverWritten(t *testing.T) {
	c := partialCluster(t)
	p := c.Primaries()
	s := serve(t, c.Seeds())
	key := func(name string) string { return valkeytest.KeyIn(6000, name) }
	s.want(t, pipeline(cmd("SET", key("warm"), "v"), cmd("SET", valkeytest.KeyIn(1, "n"), "0")), "OK", "OK")
	// The bulk connection has to be there already: a hung node makes no new one.
	s.want(t, pipeline(cmd("SET", key("big"), strings.Repeat("x", 1<<20))), "OK")
	const count = 2500
	value := strings.Repeat("x", 20<<10) // 50 MiB in all, which no socket buffers hold
	backlog(t, p[1].Port())              // else there is no telling when
	p[1].Pause(t)
	killed := make(chan struct{})
	defer func() { <-killed }()
	go func() {
		defer close(killed) // waiting that fails ends the goroutine, and the test
		awaitBacklog(t, p[1].Port(), 2*len(value))
		p[1].Kill(t)
	}()
	var commands []*valkeybatchv1.Command
	for i := range count {
		commands = append(commands, cmd("SET", key(fmt.Sprint(i)), value))
	}
	results := s.must(t, pipeline(append(commands, cmd("INCR", valkeytest.KeyIn(1, "n")))...).within(true, patience/2))
	if got := render(results[count]); got != "1" {
		t.Errorf("the healthy node's result is %s", got)
	}
	var written int
	for i, v := range results[:count] {
		if e := v.GetErrorValue(); e.GetOutcome() == unknown {
			if written != i {
				t.Errorf("command %d may have run, and one before it certainly not", i)
			}
			written++
		} else {
			wantError(t, v, "CONNECTION", notExecuted, p[1].Addr())
		}
	}
	if written == 0 || written == count {
		t.Errorf("%d of %d commands may have run; want some, and not all", written, count)
	}
}

// The same on a standalone server that reads three commands and hangs up.
func TestAcceptance100_101_119_LostMidBatch(t *testing.T) {
	// A real server reads all it is sent; so it is scripted.
	var reads, life atomic.Int64
	srv := valkeytest.StartScripted(t, func(conn int, args []string) []byte {
		switch {
		case args[0] == "INCR":
			if life.Load() == 0 && reads.Add(1) == 3 {
				life.Add(1)
				return valkeytest.CloseMark
			}
			return []byte(":1\r\n")
		case args[0] == "EXEC" && life.CompareAndSwap(1, 2):
			return valkeytest.CloseMark
		case args[0] == "EXEC":
			return []byte("*1\r\n:1\r\n")
		case args[0] == "DECR":
			return []byte("+QUEUED\r\n")
		}
		switch strings.ToUpper(args[0]) {
		case "HELLO", "PING", "MULTI", "DISCARD", "CLIENT":
			return nil
		}
		return []byte("-ERR unknown command\r\n")
	})
	s := serve(t, []string{srv.Addr()}, unasked...)
	results := s.must(t, pipeline(cmd("INCR", "a"), cmd("INCR", "b"), cmd("INCR", "c"), cmd("INCR", "d")))
	if got := renderAll(results); got[0] != "1" || got[1] != "1" {
		t.Errorf("results %q, want 1 and 1 first: they were answered", got)
	}
	wantError(t, results[2], "CONNECTION", unknown, srv.Addr())
	wantError(t, results[3], "CONNECTION", unknown, srv.Addr())
	// A transaction without an answer is never sent again, and the next one works.
	v := s.must(t, atomicBatch(cmd("DECR", "a")))[0]
	wantError(t, v, "CONNECTION", unknown, srv.Addr())
	if n := countExactly(srv, "DECR", "a"); n != 1 {
		t.Errorf("the transaction was sent %d times", n)
	}
	s.want(t, atomicBatch(cmd("DECR", "a")), "1")
	// Raised, it does not invite blind repetition.
	life.Store(0)
	reads.Store(2)
	f := s.fail(t, pipeline(cmd("INCR", "a"), cmd("INCR", "b")).raise(), codes.Aborted)
	if f.retry || f.metadata["outcome"] != "OUTCOME_UNKNOWN" {
		t.Errorf("metadata %v, RetryInfo %v", f.metadata, f.retry)
	}
}

// A server that answers twice, or not at all, harms nobody but whom it answered.
func TestAcceptance107_TwoRepliesOrNone(t *testing.T) {
	// Real servers answer once; so it is scripted.
	srv := valkeytest.StartScripted(t, func(conn int, args []string) []byte {
		switch args[0] {
		case "TYPE":
			return []byte("+one\r\n+two\r\n")
		case "STRLEN":
			return valkeytest.NoReply
		case "ECHO":
			return []byte(fmt.Sprintf("$%d\r\n%s\r\n", len(args[1]), args[1]))
		}
		switch strings.ToUpper(args[0]) {
		case "HELLO", "PING", "CLIENT":
			return nil
		}
		return []byte("-ERR unknown command\r\n")
	})
	s := serve(t, []string{srv.Addr()}, unasked...)
	for i := range 20 {
		s.want(t, pipeline(cmd("TYPE", "k")), "one")
		// The surplus reply has closed the connection: it is nobody else's answer.
		valkeytest.Eventually(t, "an answer", func() error {
			v, err := s.send(pipeline(cmd("ECHO", fmt.Sprint(i))))
			if err != nil {
				return err
			}
			if got := render(v.GetResults()[0]); got == fmt.Sprintf("%q", "two") || got == "two" {
				t.Fatal("another caller got the surplus reply")
			} else if got != fmt.Sprintf("%q", fmt.Sprint(i)) {
				return fmt.Errorf("%s", got)
			}
			return nil
		})
	}
	f := s.fail(t, pipeline(cmd("ECHO", "a"), cmd("ECHO", "b"), cmd("STRLEN", "k")).within(false, 200*time.Millisecond), codes.DeadlineExceeded)
	if f.metadata["answered"] != "2" || f.metadata["total"] != "3" {
		t.Errorf("metadata %v, want 2 of 3 answered", f.metadata)
	}
}

// The rights to MULTI and EXEC are taken away while the service runs: the commands of a
// transaction run as one or not at all, never bare.
func TestAcceptance120_TransactionsWithoutPermission(t *testing.T) {
	for _, right := range []string{"multi", "exec"} {
		t.Run(right, func(t *testing.T) {
			srv := valkeytest.StartServer(t)
			srv.MustDo(t, "ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all")
			s := serve(t, []string{srv.Addr()}, "--valkey-username", "app", "--valkey-password", "secret")
			s.want(t, atomicBatch(cmd("SET", "k", "1"), cmd("INCR", "k")), "OK", "2")
			srv.MustDo(t, "ACL", "SETUSER", "app", "-"+right)
			for i := range 6 {
				before := srv.Text(t, "GET", "k")
				resp, err := s.send(atomicBatch(cmd("INCR", "k"), cmd("INCR", "k")))
				after := srv.Text(t, "GET", "k")
				if err == nil {
					// The transaction that MULTI was allowed for may still run, as a whole.
					if i > 0 || right == "exec" || resp.GetFailedCount() != 0 {
						t.Fatalf("batch %d: %v", i, renderAll(resp.GetResults()))
					}
					continue
				}
				f := failureOf(err)
				if f.code != codes.PermissionDenied || f.metadata["code"] != "NOPERM" || f.metadata["outcome"] != "OUTCOME_NOT_EXECUTED" {
					t.Errorf("batch %d: %s", i, describe(err))
				}
				if before != after {
					t.Errorf("batch %d: k went from %s to %s though the transaction was refused", i, before, after)
				}
			}
			// Pipelines are not concerned, and transactions work again when they are allowed again.
			s.must(t, pipeline(cmd("INCR", "k")))
			srv.MustDo(t, "ACL", "SETUSER", "app", "+"+right)
			n := srv.Text(t, "GET", "k")
			s.want(t, atomicBatch(cmd("GET", "k")), fmt.Sprintf("%q", n))
		})
	}
}
