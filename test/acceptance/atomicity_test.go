package acceptance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestAcceptance057_058_AtomicRefusedBeforeAnythingIsSent(t *testing.T) {
	ownMatrix(t, "SC", []string{"--allow-command", "all"}, func(t *testing.T, e *env) {
		w := watchEnv(t, e)
		if e.isCluster {
			t.Run("two slots", func(t *testing.T) { crossSlot(t, e) })
		}
		t.Run("retry strategy", func(t *testing.T) {
			field := "standalone_options.retry_strategy"
			if e.isCluster {
				field = "cluster_options.retry_strategy"
			}
			for _, flags := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
				f := e.fail(t, atomicBatch(cmd("SET", "k", "v")).retry(e.isCluster, flags[0], flags[1]), codes.InvalidArgument)
				if f.reason != "RETRY_STRATEGY_WITH_ATOMIC" || len(f.fields) != 1 || f.fields[0] != field {
					t.Errorf("%v: reason %s, fields %v", flags, f.reason, f.fields)
				}
			}
		})
		w.nothingSent(t)
	})
}

func crossSlot(t *testing.T, e *env) {
	// Both keys on one node: it is the slot that counts.
	a, b := e.nodes.TwoKeys(t, e.nodes.Primaries()[0])
	channels := []string{"ch1", "ch2", "ch3"}
	words := func(w ...string) []string { return w }
	for name, c := range map[string]struct {
		commands       [][]string
		index, first   int
		atKey, firstAt string
	}{
		"two commands":    {[][]string{words("SET", a, "1"), words("GET", a), words("SET", b, "2")}, 2, 0, b, a},
		"keyless between": {[][]string{words("PING"), words("GET", a), words("FLUSHALL"), words("GET", b)}, 3, 1, b, a},
		"one command":     {[][]string{words("MGET", a, b)}, 0, 0, b, a},
		"second of two":   {[][]string{words("GET", a), words("RENAME", a, b)}, 1, 0, b, a},
		"SPUBLISH": {[][]string{words("SPUBLISH", channels[0], "m"), words("SPUBLISH", channels[1], "m"), words("SPUBLISH", channels[2], "m")},
			1, 0, channels[1], channels[0]},
	} {
		t.Run(name, func(t *testing.T) {
			for _, form := range []string{"args", "text_args"} {
				var commands []*valkeybatchv1.Command
				for _, w := range c.commands {
					if form == "args" {
						commands = append(commands, cmd(w...))
					} else {
						commands = append(commands, text(w...))
					}
				}
				for _, r := range []request{
					atomicBatch(commands...),
					atomicBatch(commands...).raise(),
					atomicBatch(commands...).route(keyRoute(a, primary)),
				} {
					f := e.fail(t, r, codes.InvalidArgument)
					slot, firstSlot := number(valkeytest.Slot(c.atKey)), number(valkeytest.Slot(c.firstAt))
					f.wantMetadata(t, map[string]string{
						"index": number(c.index), "slot": slot, "first_index": number(c.first), "first_slot": firstSlot,
					})
					if !strings.Contains(f.message, "slot "+slot) || !strings.Contains(f.message, "slot "+firstSlot) {
						t.Errorf("message %q does not name slots %s and %s", f.message, firstSlot, slot)
					}
					field := "batch.commands[" + number(c.index) + "]." + form
					if f.reason != "CROSS_SLOT" || len(f.fields) != 1 || f.fields[0] != field {
						t.Errorf("reason %s, fields %v, want %s", f.reason, f.fields, field)
					}
				}
			}
		})
	}
}

func TestAcceptance081_AtomicGoesStraightToTheOwner(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		for _, node := range e.nodes.Primaries() {
			key := e.nodes.KeyFor(t, node, e.tag)
			w := watchEnv(t, e)
			e.want(t, e.batch(cmd("GET", key), cmd("TTL", key), cmd("STRLEN", key)), "nil", "-2", "0")
			for _, other := range e.others(node) {
				if got := w.since(t, other); len(got.commands) > 0 {
					t.Errorf("the key is %s's, but %s was sent %v", node.Addr(), other.Addr(), got.commands)
				}
			}
			if got := w.since(t, node); len(got.errors) > 0 || got.commands["strlen"] != 1 {
				t.Errorf("the owner was sent %v and gave errors %v", got.commands, got.errors)
			}
		}
	})
}

func TestAcceptance082_AtomicRouteChoice(t *testing.T) {
	adminMatrix(t, "C", "A", func(t *testing.T, e *env) {
		t.Run("keyless goes to primaries", func(t *testing.T) {
			w := watchEnv(t, e)
			const rounds = 12
			for range rounds {
				e.want(t, atomicBatch(cmd("ECHO", "a"), cmd("EVAL", "return 7", "0")), `"a"`, "7")
			}
			onPrimaries := 0
			for _, n := range e.nodes.Primaries() {
				onPrimaries += w.ran(t, n, "echo")
			}
			if onPrimaries != rounds {
				t.Errorf("%d of %d transactions ran on primaries", onPrimaries, rounds)
			}
		})
		t.Run("keyless is ignored beside keys", func(t *testing.T) {
			for _, node := range e.nodes.Primaries() {
				key := e.nodes.KeyFor(t, node, e.tag)
				w := watchEnv(t, e)
				e.want(t, atomicBatch(cmd("ECHO", "a"), cmd("GET", key), cmd("SET", key, "v"), cmd("ECHO", "b")), `"a"`, "nil", "OK", `"b"`)
				if got := w.ran(t, node, "echo"); got != 2 {
					t.Errorf("%s owns the key and ran %d of 2 ECHO", node.Addr(), got)
				}
				if got := w.errors(t, "MOVED"); got != 0 {
					t.Errorf("%d MOVED", got)
				}
				e.must(t, pipeline(cmd("DEL", key)))
			}
		})
		t.Run("FLUSHALL and two slots", func(t *testing.T) {
			a, b := e.nodes.TwoKeys(t, e.nodes.Primaries()[0], e.tag)
			e.must(t, pipeline(cmd("SET", a, "v")))
			f := e.fail(t, atomicBatch(cmd("FLUSHALL"), cmd("GET", a), cmd("GET", b)), codes.InvalidArgument)
			if f.reason != "CROSS_SLOT" {
				t.Errorf("reason %s", f.reason)
			}
			e.want(t, pipeline(cmd("GET", a)), `"v"`)
		})
	})
}

func TestAcceptance110_SetAndPublishInOneTransaction(t *testing.T) {
	matrix(t, "C", "A", func(t *testing.T, e *env) {
		for _, node := range e.nodes.Primaries() {
			key, channel := e.nodes.KeyFor(t, node, e.tag), e.k("channel")
			subscriber := node.Dial(t)
			subscriber.Send(t, "SUBSCRIBE", channel)
			subscriber.Receive(t)
			w := watchNodes(t, e.nodes.Primaries()...)
			e.want(t, atomicBatch(cmd("SET", key, "v"), cmd("PUBLISH", channel, "m")), "OK", "1")
			if got := subscriber.Receive(t); !strings.Contains(string(got), "message") {
				t.Errorf("the subscriber got %q", got)
			}
			if set, publish := w.ran(t, node, "set"), w.ran(t, node, "publish"); set != 1 || publish != 1 {
				t.Errorf("%s ran SET %d times, PUBLISH %d times, want 1 and 1", node.Addr(), set, publish)
			}
			if all := w.total(t, "publish"); all != 1 {
				t.Errorf("PUBLISH ran %d times", all)
			}
			subscriber.Close()
		}
	})
}
