package acceptance

import (
	"fmt"
	"strings"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

func TestAcceptance129_DuplicateKeys(t *testing.T) {
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		// On the cluster keys of three nodes, on the server any three.
		a, b, c := e.k("a"), e.k("b"), e.k("c")
		if e.isCluster {
			nodes := e.nodes.Primaries()
			a, b, c = e.nodes.KeyFor(t, nodes[0], e.tag), e.nodes.KeyFor(t, nodes[1], e.tag), e.nodes.KeyFor(t, nodes[2], e.tag)
		}
		e.want(t, pipeline(
			cmd("MSET", a, "1", b, "x", a, "2", c, "y", b, "z"), // the later value counts
			cmd("MGET", a, b, a, c, b, a),
			cmd("EXISTS", a, a),
			cmd("EXISTS", a, b, a, c, b, a, "no"+e.tag, "no"+e.tag),
			cmd("TOUCH", a, b, a),
			cmd("DEL", a, b, a, b),
			cmd("EXISTS", a, b, c),
			cmd("UNLINK", c, a, c),
		), "OK", `["2" "z" "2" "y" "z" "2"]`, "2", "6", "3", "2", "1", "1")
	})
}

func TestAcceptance130_HashTags(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		base := strings.Trim(e.tag, "{}")
		for _, form := range []string{
			"%s", "{%s}", "{%s}b", "a{%s}", "a{%s}c", "a{}%s", "{}%s", "{}{%s}", "{%s}{b}", "{b}{%s}", "a{%s", "a%s}", "}%s{", "}{%s}",
			"{{%s}}", "{{%s}", "{%s}}", "{ %s }", "{%s\x00}b", "{%s}\xff\xfe", "é{%sü}", "{", "}", "{}", "{}}", "{{}",
		} {
			key := form
			if strings.Contains(form, "%s") {
				key = fmt.Sprintf(form, base)
			} else {
				key += base // a test's own key without a tag of its own
			}
			keySlot, _ := e.nodes.Nodes()[0].MustDo(t, "CLUSTER", "KEYSLOT", key).Integer()
			slot := uint16(keySlot)
			owner := e.nodes.SlotOwner(t, slot)
			w := watchNodes(t, e.nodes.Primaries()...)
			e.want(t, e.batch(cmd("SET", key, "v"), cmd("GET", key), cmd("DEL", key)), "OK", `"v"`, "1")
			if got := w.ran(t, owner, "set"); got != 1 || w.errors(t, "MOVED") != 0 {
				t.Errorf("%q of slot %d: its owner %s ran SET %d times, MOVED %d", key, slot, owner.Addr(), got, w.errors(t, "MOVED"))
			}
			// A route by the key names the same slot.
			value := e.must(t, e.batch(whoAreYou).route(&valkeybatchv1.Route{Kind: &valkeybatchv1.Route_SlotKey{
				SlotKey: &valkeybatchv1.SlotKeyRoute{Key: []byte(key)}}}))[0]
			if port, _ := answeredBy(t, value); port != number(owner.Port()) {
				t.Errorf("a route by %q went to port %s, its owner is %s", key, port, owner.Addr())
			}
		}
		// What shares a tag shares a transaction.
		if e.isAtomic {
			e.want(t, atomicBatch(cmd("MSET", e.tag+"a", "1", "b"+e.tag, "2", "c"+e.tag+"{d}", "3"), cmd("MGET", e.tag+"a", "b"+e.tag)), "OK", `["1" "2"]`)
		}
	})
}

func TestAcceptance131_CrossSlotCommandsWithoutASplitRule(t *testing.T) {
	matrix(t, "C", "P", func(t *testing.T, e *env) {
		const says = "CROSSSLOT Keys in request don't hash to the same slot"
		nodes := e.nodes.Primaries()
		here, there := e.nodes.KeyFor(t, nodes[0], e.tag), e.nodes.KeyFor(t, nodes[1], e.tag)
		same, other := e.nodes.TwoKeys(t, nodes[2], e.tag)
		for _, pair := range [][2]string{{here, there}, {same, other}} {
			a, b := pair[0], pair[1]
			for _, line := range []string{
				"RENAME %s %s", "RENAMENX %s %s", "COPY %s %s", "SMOVE %s %s m", "LMOVE %s %s LEFT RIGHT", "RPOPLPUSH %s %s",
				"BLMOVE %s %s LEFT RIGHT 1", "MSETNX %s 1 %s 2", "SINTER %s %s", "SUNION %s %s", "SDIFF %s %s",
				"SINTERSTORE %s %s", "SUNIONSTORE %s %s", "SDIFFSTORE %s %s", "SINTERCARD 2 %s %s",
				"ZUNIONSTORE %s 1 %s", "ZINTERSTORE %s 1 %s", "ZDIFFSTORE %s 1 %s", "ZUNION 2 %s %s", "ZINTER 2 %s %s", "ZDIFF 2 %s %s", "ZINTERCARD 2 %s %s",
				"ZRANGESTORE %s %s 0 -1", "BITOP NOT %s %s", "BITOP AND %s %s", "PFCOUNT %s %s", "PFMERGE %s %s", "LCS %s %s",
				"GEOSEARCHSTORE %s %s FROMLONLAT 1 1 BYRADIUS 1 km", "GEORADIUS %s 1 1 1 km STORE %s",
				"SORT %s STORE %s", "LMPOP 2 %s %s LEFT", "ZMPOP 2 %s %s MIN", "BLPOP %s %s 1", "BLMPOP 1 2 %s %s LEFT", "BZPOPMIN %s %s 1",
				"XREAD STREAMS %s %s 0 0", "EVAL return(1) 2 %s %s",
			} {
				line := fmt.Sprintf(line, a, b)
				values := e.must(t, pipeline(cmd("SET", a, "1"), cmd("SET", b, "2"), cmd(strings.Fields(line)...), cmd("GET", b), cmd("GET", a), cmd("DEL", a, b)))
				if got := strings.Join(renderAll(values), " "); got != `OK OK !`+says+` "2" "1" 2` {
					t.Errorf("%s: %s", line, got)
				}
				if got := values[2].GetErrorValue(); got.GetCode() != "CROSSSLOT" || got.GetNode() == "" || (got.GetOutcome() != notExecuted && !strings.HasPrefix(line, "EVAL")) {
					t.Errorf("%s: %v", line, got)
				}
			}
		}
	})
}
