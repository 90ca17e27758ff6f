package node_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestHostileReplies: a server that breaks the protocol loses that connection; replies before
// the breach count, and the next batch is served by a new connection.
func TestHostileReplies(t *testing.T) {
	for name, breach := range map[string]string{
		"negative bulk":       "$-5\r\n",
		"giant bulk":          "$99999999999999\r\n",
		"giant array":         "*4294967296\r\n",
		"negative array":      "*-7\r\n",
		"streamed string":     "$?\r\n",
		"streamed array":      "*?\r\n",
		"unknown type":        "hello there\r\n",
		"bulk without end":    "$2\r\nabcd\r\n",
		"empty verbatim":      "=0\r\n\r\n",
		"not a length":        "$abc\r\n",
		"malformed inside":    "*2\r\n:1\r\n:x\r\n",
		"HTTP":                "HTTP/1.1 400 Bad Request\r\n\r\n",
		"malformed attribute": "|1\r\n+a\r\n$-9\r\n",
		"malformed push":      ">1\r\n%-1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := startRaw(t, func(p *peer) {
				for i := 0; ; i++ {
					args, err := p.read()
					if err != nil {
						return
					}
					if p.number == 0 && args[0] == "BREACH" {
						p.say(breach)
						p.drain()
						return
					}
					p.say(bulk(args[0]))
				}
			})
			n := getNode(t, addr)
			b := do(t, n, ordinary, command("A"), command("BREACH"), command("C"))
			wantOutcome(t, b, bulk("A"), "unknown", "unknown")
			wantConnectionError(t, b, node.OpProtocol)
			var malformed *resp.ProtocolError
			if !errors.As(b.Err(), &malformed) {
				t.Errorf("error %v, want a ProtocolError in it", b.Err())
			}
			wantOK(t, do(t, n, ordinary, command("D")), bulk("D"))
		})
	}
}

func TestUnsolicitedReplies(t *testing.T) {
	for name, early := range map[string]string{"reply": "+what\r\n", "half": "$1000\r\nabc", "giant": "$2000000000\r\nabc"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broke := make(chan struct{})
			addr := startRaw(t, func(p *peer) {
				for {
					args, err := p.read()
					if err != nil {
						return
					}
					p.say(bulk(args[0]))
					if p.number == 0 {
						p.say(early)
						p.drain()
						close(broke) // the client has hung up
						return
					}
				}
			})
			n := getNode(t, addr)
			b := do(t, n, ordinary, command("A"))
			wantOutcome(t, b, bulk("A"))
			select {
			case <-broke:
			case <-time.After(patience):
				t.Fatal("the connection stays open")
			}
			wantOK(t, do(t, n, ordinary, command("B")), bulk("B"))
		})
	}
}

// TestReplyBeforeRequest: a reply that comes before any request is nobody's.
func TestReplyBeforeRequest(t *testing.T) {
	s := valkeytest.StartScripted(t, func(conn int, args []string) []byte {
		if args[0] == "HELLO" && conn == 0 {
			return []byte("%0\r\n+early\r\n")
		}
		if args[0] == "GET" {
			return []byte("$4\r\nmine\r\n")
		}
		return nil
	})
	n := getNode(t, s.Addr())
	for range 3 {
		b := do(t, n, ordinary, command("GET", "k"))
		if f, state := b.Reply(0); state == node.Acknowledged && string(f) != "$4\r\nmine\r\n" {
			t.Errorf("got %q", f)
		}
		time.Sleep(60 * time.Millisecond) // over the pause after the useless connection
	}
	wantOK(t, do(t, n, ordinary, command("GET", "k")), "$4\r\nmine\r\n")
}

// TestPushesAndAttributesAreDropped, wherever they come.
func TestPushesAndAttributesAreDropped(t *testing.T) {
	noise := ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n" + "|1\r\n+ttl\r\n:5\r\n" + ">1\r\n" + bulk(strings.Repeat("p", 300000))
	addr := startRaw(t, func(p *peer) {
		p.say(noise)
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			p.say(noise + bulk(args[0]) + noise)
		}
	})
	n := getNode(t, addr)
	for range 3 {
		wantOK(t, do(t, n, ordinary, command("A"), command("B")), bulk("A"), bulk("B"))
	}
}

// TestEndlessPushTakesNoMemory: what is dropped is not kept.
func TestEndlessPushTakesNoMemory(t *testing.T) {
	addr := startRaw(t, func(p *peer) {
		p.read()
		p.say(">1\r\n$100000000\r\n")
		part := make([]byte, 1000000)
		for range 100 {
			p.Write(part)
		}
		p.say("\r\n+OK\r\n")
		p.drain()
	})
	n := getNode(t, addr)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wantOK(t, do(t, n, ordinary, command("A")), "+OK\r\n")
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 20<<20 {
		t.Errorf("%d bytes allocated for 100 MB of pushes", grown)
	}
}

// TestDeclaredLengthsTakeNoMemory: a length that was only announced costs nothing.
func TestDeclaredLengthsTakeNoMemory(t *testing.T) {
	for _, declared := range []string{"$2000000000\r\nabc", "*2000000000\r\n:1\r\n", strings.Repeat("*2000000000\r\n", 30) + ":1\r\n", "%1000000000\r\n"} {
		addr := startRaw(t, func(p *peer) {
			p.read()
			p.say(declared)
			p.Close()
		})
		n := getNode(t, addr)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b := do(t, n, ordinary, command("A"))
		runtime.ReadMemStats(&after)
		wantOutcome(t, b, "unknown")
		wantConnectionError(t, b, node.OpLost)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 10<<20 {
			t.Errorf("%.20q: %d bytes allocated", declared, grown)
		}
	}
}

func TestNestingLimit(t *testing.T) {
	deep := strings.Repeat("*1\r\n", 50000) + ":1\r\n"
	addr := startRaw(t, func(p *peer) {
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			if args[0] == "DEEP" {
				p.say(deep)
			} else {
				p.say(fmt.Sprintf("+%d\r\n", p.number))
			}
		}
	})
	n := newPool(t, node.Config{MaxDepth: 5}).Get(addr)
	b := do(t, n, ordinary, command("A"), command("DEEP"), command("C"))
	var limit *node.LimitError
	if !errors.As(b.Err(), &limit) || *limit != (node.LimitError{What: node.LimitReplyNesting, Actual: 6, Allowed: 5}) {
		t.Errorf("error %v", b.Err())
	}
	wantOutcome(t, b, "+0\r\n", "unknown", "unknown")
	// What else the server has to say holds up nobody: others get another connection.
	wantOK(t, do(t, n, ordinary, command("D")), "+1\r\n")
}

// TestReplyBudget: a batch whose replies outgrow its budget fails; the others on the
// connection and the connection itself do not.
func TestReplyBudget(t *testing.T) {
	const size = 1 << 20
	value := strings.Repeat("v", size)
	addr := startRaw(t, func(p *peer) {
		for {
			args, err := p.read()
			if err != nil {
				return
			}
			if args[0] == "BIG" {
				p.say(bulk(value))
			} else {
				p.say(fmt.Sprintf("+%d\r\n", p.number))
			}
		}
	})
	n := getNode(t, addr)
	budget := node.NewBudget(3 * size / 2)
	first := node.NewBatch(3, budget)
	for _, c := range []string{"SMALL", "BIG", "BIG", "BIG", "BIG", "BIG", "SMALL"} {
		first.Add(command(c))
	}
	n.Do(t.Context(), ordinary, first)
	var limit *node.LimitError
	if !errors.As(first.Err(), &limit) || limit.What != node.LimitReplyBytes || limit.Allowed != 3*size/2 || limit.Actual <= limit.Allowed {
		t.Fatalf("error %v", first.Err())
	}
	if limit.Actual > 3*size {
		t.Errorf("%d bytes were taken before it was noticed", limit.Actual)
	}
	if got := outcome(first); got[0] != "+0\r\n" || got[1] != bulk(value) || got[2] != "unknown" || got[6] != "unknown" {
		t.Errorf("outcome %.40q", got)
	}
	wantOK(t, do(t, n, ordinary, command("SMALL")), "+1\r\n")
	// Another sub-batch of the same whole fails too; it leaves nothing behind that holds up others.
	second := node.NewBatch(1, budget)
	second.Add(command("SMALL"))
	n.Do(t.Context(), ordinary, second)
	if !errors.As(second.Err(), &limit) {
		t.Errorf("error %v", second.Err())
	}
	wantOK(t, do(t, n, ordinary, command("SMALL")), "+1\r\n")
}

// TestHalfFrames: replies that arrive byte by byte are put together.
func TestHalfFrames(t *testing.T) {
	replies := "*2\r\n$3\r\nabc\r\n%1\r\n:1\r\n_\r\n" + bulk(strings.Repeat("z", 700)) + "-ERR x y\r\n"
	addr := startRaw(t, func(p *peer) {
		for range 3 {
			p.read()
		}
		for i := range replies {
			p.say(replies[i : i+1])
			if i%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		p.drain()
	})
	b := do(t, getNode(t, addr), ordinary, command("A"), command("B"), command("C"))
	wantOK(t, b, "*2\r\n$3\r\nabc\r\n%1\r\n:1\r\n_\r\n", bulk(strings.Repeat("z", 700)), "-ERR x y\r\n")
}

// TestCloseAfterBytes: wherever the server's answer is cut, exactly the complete replies count.
func TestCloseAfterBytes(t *testing.T) {
	replies := []string{"+OK\r\n", bulk("hello"), "*2\r\n:1\r\n:2\r\n"}
	all := strings.Join(replies, "")
	var cut int
	addr := startRaw(t, func(p *peer) {
		for range 3 {
			p.read()
		}
		p.say(all[:cut])
	})
	for cut = 0; cut < len(all); cut++ {
		n := newPool(t, node.Config{BackoffMin: time.Microsecond}).Get(addr)
		b := do(t, n, ordinary, command("A"), command("B"), command("C"))
		var want []string
		end := 0
		for _, r := range replies {
			if end += len(r); end <= cut {
				want = append(want, r)
			} else {
				want = append(want, "unknown")
			}
		}
		wantOutcome(t, b, want...)
		wantConnectionError(t, b, node.OpLost)
	}
}

// TestServerThatRefusesConnections: its reason reaches the caller, nothing is sent, and it is
// not dialled all the time.
func TestServerThatRefusesConnections(t *testing.T) {
	for name, reason := range map[string]string{"maxclients": "ERR max number of clients reached", "old": "ERR unknown command", "proto": "NOPROTO unsupported protocol version"} {
		t.Run(name, func(t *testing.T) {
			s := valkeytest.StartScripted(t, func(int, []string) []byte { return append([]byte("-"+reason+"\r\n"), valkeytest.CloseMark...) })
			n := newPool(t, node.Config{BackoffMin: time.Hour, BackoffMax: time.Hour}).Get(s.Addr())
			for range 5 {
				for _, target := range []node.Target{ordinary, blocking, transaction} {
					b := do(t, n, target, command("A"))
					wantConnectionError(t, b, node.OpHandshake)
					wantOutcome(t, b, "not sent")
					if !strings.Contains(b.Err().Error(), reason) {
						t.Errorf("error %v", b.Err())
					}
				}
			}
			if s.Connections() != 1 {
				t.Errorf("%d dials during one pause", s.Connections())
			}
		})
	}
}

// TestUselessServer: one that hangs up after every handshake is not dialled in a loop.
func TestUselessServer(t *testing.T) {
	dials := make(chan struct{}, 1000)
	addr := startRaw(t, func(p *peer) { dials <- struct{}{}; p.read() })
	n := newPool(t, node.Config{BackoffMin: time.Hour, BackoffMax: time.Hour}).Get(addr)
	b := do(t, n, ordinary, command("A"))
	wantOutcome(t, b, "unknown")
	time.Sleep(10 * time.Millisecond)
	for range 20 {
		b = do(t, n, ordinary, command("A"))
	}
	wantOutcome(t, b, "not sent")
	if len(dials) > 3 {
		t.Errorf("%d dials", len(dials))
	}
}
