package acceptance

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Real nodes never redirect to themselves unless a name leads somewhere else by now, which
// takes a name server; so the nodes are scripted.
func TestAcceptance095_CircularMovedReconnects(t *testing.T) {
	var wrong atomic.Int64 // the connection on which another server seems to answer
	wrong.Store(-1)
	sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
		switch {
		case node == 0 && (args[0] == "SET" || args[0] == "GET"):
			wrong.CompareAndSwap(-1, int64(conn))
			if int64(conn) == wrong.Load() {
				return s.redirectTo("MOVED", args[1], 0)
			}
			return []byte("+OK\r\n")
		case args[0] == "EXEC":
			return []byte("*2\r\n+OK\r\n+OK\r\n")
		case args[0] == "GET":
			return []byte("+OK\r\n")
		}
		return nil
	})
	s := serve(t, sc.seeds(), unasked...)
	s.want(t, pipeline(cmd("SET", sc.key(0, "k"), "v"), cmd("GET", sc.key(1, "k")), cmd("GET", sc.key(0, "k"))), "OK", "OK", "OK")
	conns := map[int]int{}
	for _, r := range sc.nodes[0].Received() {
		if r.Args[0] == "SET" || r.Args[0] == "GET" {
			conns[r.Conn]++
		}
	}
	if len(conns) != 2 || conns[int(wrong.Load())] != 2 {
		t.Errorf("commands by connection: %v, want two on each of two connections", conns)
	}
}

// Nodes that send a command to and fro without end: the redirect stays in place as the
// command's error, and the results of the others arrive.
func TestAcceptance089_095_RedirectsWithoutEnd(t *testing.T) {
	sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
		switch {
		case args[0] == "EXEC":
			return []byte("-EXECABORT Transaction discarded because of previous errors.\r\n")
		case len(args) > 1 && strings.HasSuffix(args[1], "moved"):
			return s.redirectTo("MOVED", args[1], 1-node)
		case len(args) > 1 && strings.HasSuffix(args[1], "asked"):
			return s.redirectTo("ASK", args[1], 1-node)
		case args[0] == "GET":
			return []byte("+fine\r\n")
		}
		return nil
	})
	batch := func() request {
		return pipeline(cmd("GET", sc.key(0, "moved")), cmd("GET", sc.key(0, "a")), cmd("GET", sc.key(1, "asked")), cmd("GET", sc.key(1, "b")))
	}
	for name, c := range map[string]struct {
		redirects int
		timeout   time.Duration
	}{"long enough": {16, 20 * time.Second}, "too short": {100, 5 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, sc.seeds(), append([]string{"--max-redirects", fmt.Sprint(c.redirects)}, unasked...)...)
			before := sc.nodes[0].Count("GET") + sc.nodes[1].Count("GET")
			start := time.Now()
			results := s.must(t, batch().within(true, c.timeout))
			if took := time.Since(start); took > 10*time.Second || took > c.timeout {
				t.Errorf("it took %v", took)
			}
			if got := renderAll(results); got[1] != "fine" || got[3] != "fine" {
				t.Errorf("results %q", got)
			}
			wantError(t, results[0], "MOVED", notExecuted, "")
			wantError(t, results[2], "ASK", notExecuted, "")
			if n, most := sc.nodes[0].Count("GET")+sc.nodes[1].Count("GET")-before, 1+c.redirects; n > 2+2*most {
				t.Errorf("%d commands sent, want no more than %d for each of the two", n, most)
			}
		})
	}
	s := serve(t, sc.seeds(), unasked...)
	f := s.fail(t, atomicBatch(cmd("SET", sc.key(0, "moved"), "v")).within(true, 20*time.Second), codes.Unavailable)
	if f.metadata["code"] != "MOVED" {
		t.Errorf("metadata %v, want MOVED", f.metadata)
	}
}

// Commands of a slot that are sent to and fro for a while stay in their order.
func TestAcceptance118_OrderKeptAcrossManyRounds(t *testing.T) {
	var bounces atomic.Int64
	var order atomic.Pointer[[]string]
	order.Store(new([]string))
	const pushes, rounds = 26, 8
	sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
		if args[0] != "RPUSH" {
			return nil
		}
		if bounces.Add(1) <= pushes*rounds {
			return s.redirectTo("MOVED", args[1], 1-node)
		}
		list := append(*order.Load(), args[2]) // one connection of one node by now
		order.Store(&list)
		return []byte(fmt.Sprintf(":%d\r\n", len(list)))
	})
	s := serve(t, sc.seeds(), unasked...)
	var want []string
	for c := 'a'; c <= 'z'; c++ {
		want = append(want, string(c))
	}
	s.must(t, pipeline(letters(sc.key(0, "list"))...).within(true, patience/2))
	if got := strings.Join(*order.Load(), ""); got != strings.Join(want, "") {
		t.Errorf("executed in the order %s", got)
	}
}

// Real nodes cannot be made to lose a connection at the very moment of an ASK; so they are scripted.
func TestAcceptance119_ConnectionLostOnAskedSubPipeline(t *testing.T) {
	for _, c := range []struct {
		name  string
		retry bool
		sends int // how often the importing node may see each command
	}{{"no retry", false, 1}, {"retry_connection_error", true, 2}} {
		t.Run(c.name, func(t *testing.T) {
			var lost atomic.Int64
			sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
				switch {
				case args[0] == "ASKING":
					return nil
				case len(args) < 2:
					return nil
				case strings.HasSuffix(args[1], "asked") && node == 0:
					return s.redirectTo("ASK", args[1], 1)
				case strings.HasSuffix(args[1], "asked") && args[0] == "INCR":
					return []byte(":1\r\n")
				case strings.HasSuffix(args[1], "asked") && args[0] == "SET" && lost.Add(1) == 1:
					return valkeytest.CloseMark // the second of three: what follows is never read
				}
				return []byte("+fine\r\n")
			})
			s := serve(t, sc.seeds(), unasked...)
			k := sc.key(0, "asked")
			results := s.must(t, pipeline(cmd("INCR", k), cmd("SET", k, "v"), cmd("APPEND", k, "w"), cmd("GET", sc.key(0, "here"))).
				timed(patience/2, false, c.retry))
			if got := render(results[0]); got != "1" {
				t.Errorf("the first is %s, want 1: it was answered", got)
			}
			if got := render(results[3]); got != "fine" {
				t.Errorf("the other node's is %s", got)
			}
			if !c.retry {
				wantError(t, results[1], "CONNECTION", unknown, sc.nodes[1].Addr())
				wantError(t, results[2], "CONNECTION", unknown, sc.nodes[1].Addr())
			} else {
				for _, i := range []int{1, 2} {
					if got := render(results[i]); got != "fine" {
						t.Errorf("result %d is %s, want fine", i, got)
					}
				}
			}
			if n := countExactly(sc.nodes[1], "INCR", k); n != 1 {
				t.Errorf("INCR, which was answered, was sent %d times", n)
			}
			if n := countExactly(sc.nodes[1], "SET", k, "v"); n != c.sends {
				t.Errorf("SET was sent %d times, want %d", n, c.sends)
			}
			if n := countExactly(sc.nodes[1], "APPEND", k, "w"); n > c.sends {
				t.Errorf("APPEND was sent %d times, want at most %d", n, c.sends)
			}
			// Each command on the importing node stands right behind an ASKING of its own.
			last := map[int]string{}
			for _, r := range sc.nodes[1].Received() {
				if len(r.Args) > 1 && r.Args[1] == k && last[r.Conn] != "ASKING" {
					t.Errorf("%q came behind %s, not ASKING", r.Args, last[r.Conn])
				}
				last[r.Conn] = r.Args[0]
			}
		})
	}
}

// A node that has joined a moment ago is not known to all others, nor by its name ("?"): what is
// redirected to it waits until it is.
func TestAcceptance096_RedirectToANodeNotKnownYet(t *testing.T) {
	for _, kind := range []string{"MOVED", "ASK"} {
		var first atomic.Int64 // when, in nanoseconds, the first redirect was given
		sc := startScript(t, 2, func(s *script, node, conn int, args []string) []byte {
			switch {
			case args[0] == "EXEC":
				if node == 1 {
					return []byte("*1\r\n+OK\r\n")
				}
				return []byte("-EXECABORT Transaction discarded because of previous errors.\r\n")
			case args[0] != "SET" || node == 1:
				return []byte("+OK\r\n")
			}
			first.CompareAndSwap(0, time.Now().UnixNano())
			if time.Now().UnixNano()-first.Load() < int64(100*time.Millisecond) {
				return []byte(fmt.Sprintf("-%s %d ?:1\r\n", kind, valkeytest.Slot(args[1])))
			}
			return s.redirectTo(kind, args[1], 1)
		})
		s := serve(t, sc.seeds(), unasked...)
		s.want(t, pipeline(cmd("SET", sc.key(0, "k"), "v"), cmd("GET", sc.key(0, "k"))), "OK", "OK")
		// One that is never known leaves the redirect in place, beside the other results.
		first.Store(time.Now().Add(time.Hour).UnixNano())
		key := valkeytest.KeyIn(sc.slot(0)+1, "k")
		results := s.must(t, pipeline(cmd("SET", key, "v"), cmd("GET", sc.key(1, "k"))))
		wantError(t, results[0], kind, notExecuted, sc.nodes[0].Addr())
		if got := render(results[1]); got != "OK" {
			t.Errorf("the other result is %s", got)
		}
	}
}
