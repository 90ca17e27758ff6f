package acceptance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// SELECT affects its own batch and nobody else's, whatever becomes of the batch.
func TestAcceptance040_121_SelectStaysWithinItsBatch(t *testing.T) {
	srv := valkeytest.StartServer(t)
	s := serve(t, []string{srv.Addr()}, "--allow-command", "debug")
	in := func(t *testing.T, db int, key, want string) {
		t.Helper()
		c := srv.Dial(t)
		defer c.Close()
		c.Do(t, "SELECT", fmt.Sprint(db))
		f := c.Do(t, "GET", key)
		e := string(f)
		if want == "" && !f.IsNull() || want != "" && e != fmt.Sprintf("$%d\r\n%s\r\n", len(want), want) {
			t.Errorf("%s in database %d is %q, want %q", key, db, e, want)
		}
	}
	s.want(t, pipeline(cmd("SET", "k", "zero")), "OK")

	for _, atomic := range []bool{false, true} {
		t.Run(fmt.Sprintf("atomic=%v", atomic), func(t *testing.T) {
			batch := func(r request) request { r.Batch.IsAtomic = atomic; return r }
			s.want(t, batch(pipeline(cmd("GET", "k"), cmd("select", "3"), cmd("SET", "k", "three"), cmd("GET", "k"), cmd("SELECT", "4"), cmd("GET", "k"), cmd("SELECT", "3"), cmd("GET", "k"))),
				`"zero"`, "OK", "OK", `"three"`, "OK", "nil", "OK", `"three"`)
			s.want(t, batch(pipeline(cmd("GET", "k"))), `"zero"`)
			in(t, 3, "k", "three")
			// Refused ones change nothing: what follows runs where it would have.
			s.want(t, batch(pipeline(cmd("SELECT", "3"), cmd("SELECT", "99"), cmd("GET", "k"), cmd("SELECT", "x"), cmd("GET", "k"))),
				"OK", "!ERR DB index is out of range", `"three"`, "!ERR value is not an integer or out of range", `"three"`)
			s.want(t, batch(pipeline(cmd("GET", "k"))), `"zero"`)
			s.want(t, pipeline(cmd("SELECT"), cmd("SELECT", "3", "4"), cmd("GET", "k")),
				"!ERR wrong number of arguments for 'select' command", "!ERR wrong number of arguments for 'select' command", `"zero"`)
			// Errors inside do not keep it there.
			s.want(t, batch(pipeline(cmd("SELECT", "3"), cmd("LPOP", "k"))), "OK", "!WRONGTYPE Operation against a key holding the wrong kind of value")
			s.want(t, batch(pipeline(cmd("GET", "k"))), `"zero"`)
		})
	}

	t.Run("discarded transaction", func(t *testing.T) {
		s.fail(t, atomicBatch(cmd("SELECT", "3"), cmd("GET")), codes.InvalidArgument)
		s.want(t, atomicBatch(cmd("GET", "k")), `"zero"`)
	})

	t.Run("timeout", func(t *testing.T) {
		// The batch's time is up while the server works on it; its connection serves others later.
		s.fail(t, pipeline(cmd("SELECT", "3"), cmd("DEBUG", "SLEEP", "0.3"), cmd("SET", "late", "v")).
			within(false, 50*time.Millisecond), codes.DeadlineExceeded)
		s.want(t, pipeline(cmd("GET", "k")), `"zero"`)
		s.fail(t, pipeline(cmd("SELECT", "3"), cmd("BLPOP", "list", "0")).within(false, 50*time.Millisecond), codes.DeadlineExceeded)
		s.want(t, pipeline(cmd("GET", "k"), cmd("BLPOP", "list", "0.01"), cmd("GET", "k")), `"zero"`, "nil", `"zero"`)
	})

	t.Run("concurrent", func(t *testing.T) {
		var callers sync.WaitGroup
		for i := range 8 {
			callers.Go(func() {
				for range 50 {
					r := pipeline(cmd("SELECT", fmt.Sprint(i)), cmd("SET", "mine", fmt.Sprint(i)), cmd("GET", "mine"))
					if i == 0 {
						r = pipeline(cmd("PING"), cmd("SET", "mine", "0"), cmd("GET", "mine"))
					}
					resp, err := s.send(r)
					if err != nil || render(resp.GetResults()[2]) != fmt.Sprintf(`"%d"`, i) {
						t.Errorf("caller %d: %v %v", i, resp, err)
						return
					}
				}
			})
		}
		callers.Wait()
		for i := range 8 {
			in(t, i, "mine", fmt.Sprint(i))
		}
	})

	// The right to SELECT is taken away while a batch is in another database.
	t.Run("permission lost", func(t *testing.T) {
		srv.MustDo(t, "ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all")
		s := serve(t, []string{srv.Addr()}, "--valkey-username", "app", "--valkey-password", "secret")
		in3 := make(chan error, 1)
		go func() {
			_, err := s.send(pipeline(cmd("SELECT", "3"), cmd("BLPOP", "wake", "30")).within(false, patience/2))
			in3 <- err
		}()
		valkeytest.Eventually(t, "the blocked command", func() error {
			if srv.Info(t, "clients", "blocked_clients") != "1" {
				return errNotYet
			}
			return nil
		})
		srv.MustDo(t, "ACL", "SETUSER", "app", "-select")
		waker := srv.Dial(t)
		waker.Do(t, "SELECT", "3")
		waker.Do(t, "LPUSH", "wake", "up")
		if err := <-in3; err != nil {
			t.Error(describe(err))
		}
		for range 3 {
			s.want(t, pipeline(cmd("BLPOP", "none", "0.01"), cmd("GET", "k")), "nil", `"zero"`)
			s.want(t, pipeline(cmd("GET", "k")), `"zero"`)
		}
	})
}

// A connection lost in the middle of a batch that selects: what is sent again goes to the
// database that it was meant for, and the fresh connection serves the others in theirs.
func TestAcceptance040_133_SelectAndLostConnections(t *testing.T) {
	for _, retry := range []bool{false, true} {
		t.Run(fmt.Sprintf("retry=%v", retry), func(t *testing.T) {
			srv := valkeytest.StartServer(t)
			s := serve(t, []string{srv.Addr()})
			killer := srv.Dial(t)
			// The script holds the connection up; then it is killed under the rest of the batch.
			commands := pipeline(cmd("SET", "before", "0"), cmd("SELECT", "5"), cmd("SET", "k", "5"), cmd("BLPOP", "list", "0"), cmd("SET", "after", "5"), cmd("SELECT", "6"), cmd("SET", "k", "6")).
				retry(false, false, retry).within(false, patience/2)
			done := make(chan []string, 1)
			go func() {
				resp, err := s.send(commands)
				if err != nil {
					done <- []string{describe(err)}
					return
				}
				done <- renderAll(resp.GetResults())
			}()
			blocked := func() {
				valkeytest.Eventually(t, "the blocked command", func() error {
					if srv.Info(t, "clients", "blocked_clients") != "1" {
						return errNotYet
					}
					return nil
				})
			}
			blocked()
			killer.Do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			if !retry {
				got := <-done
				if got[0] != "OK" || got[1] != "OK" || got[2] != "OK" || got[3][0] != '!' || got[6][0] != '!' {
					t.Errorf("results %q", got)
				}
			} else {
				blocked() // again, after the retry
				pusher := srv.Dial(t)
				pusher.Do(t, "SELECT", "5")
				if f := pusher.Do(t, "GET", "k"); string(f) != "$1\r\n5\r\n" {
					t.Errorf("k in 5 is %q", f)
				}
				pusher.Do(t, "LPUSH", "list", "x")
				got := <-done
				want := []string{"OK", "OK", "OK", `["list" "x"]`, "OK", "OK", "OK"}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("results %q, want %q", got, want)
				}
				if f := pusher.Do(t, "GET", "after"); string(f) != "$1\r\n5\r\n" {
					t.Errorf("after in 5 is %q", f)
				}
				pusher.Do(t, "SELECT", "6")
				if f := pusher.Do(t, "GET", "k"); string(f) != "$1\r\n6\r\n" {
					t.Errorf("k in 6 is %q", f)
				}
			}
			s.want(t, pipeline(cmd("GET", "before"), cmd("GET", "k"), cmd("GET", "after")), `"0"`, "nil", "nil")
			s.want(t, pipeline(cmd("BLPOP", "list", "0.01"), cmd("GET", "k")), "nil", "nil")
			s.want(t, atomicBatch(cmd("GET", "before"), cmd("GET", "k")), `"0"`, "nil")
		})
	}
}
