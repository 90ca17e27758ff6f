package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestAcceptance074_InfoOfOneNodeOrOfAllPrimaries(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		value := e.must(t, e.batch(whoAreYou))[0]
		if e.isAtomic {
			if _, role := answeredBy(t, value); role != "master" {
				t.Errorf("a transaction without keys ran on a %s", role)
			}
			return
		}
		got := map[string]string{}
		for _, entry := range value.GetMapValue().GetEntries() {
			port, role := answeredBy(t, entry.GetValue())
			got[string(entry.GetKey().GetBytesValue())] = "127.0.0.1:" + port + " " + role
		}
		want := map[string]string{}
		for _, n := range e.nodes.Primaries() {
			want[n.Addr()] = n.Addr() + " master"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("INFO by node (-want +got):\n%s", diff)
		}
	})
}

func TestAcceptance078_MSETThenMGETOverSlots(t *testing.T) {
	matrix(t, "C", "P", func(t *testing.T, e *env) {
		mset, mget, del, values := []string{"MSET"}, []string{"MGET"}, []string{"DEL"}, []string{}
		for i := range 10 {
			key := fmt.Sprintf("%s-%d", strings.Trim(e.tag, "{}"), i) // no hash tag: slots of all nodes
			mset = append(mset, key, "v"+number(i))
			mget, del = append(mget, key), append(del, key)
			values = append(values, fmt.Sprintf(`"v%d"`, i))
		}
		e.want(t, pipeline(cmd(mset...), cmd(mget...)), "OK", "["+strings.Join(values, " ")+"]")
		slices.Reverse(mget[1:])
		slices.Reverse(values)
		e.want(t, pipeline(cmd(mget...), cmd(append([]string{"EXISTS"}, del[1:]...)...), cmd(del...)),
			"["+strings.Join(values, " ")+"]", "10", "10")
	})
}

// ownFanOut is a cluster whose configuration and data a test may change.
func ownFanOut(t *testing.T) *env {
	t.Helper()
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Replicas: 1})
	return &env{service: serve(t, c.Seeds(), "--allow-command", "all"), isCluster: true, nodes: c, tag: newTag()}
}

func TestAcceptance079_080_108_FanOut(t *testing.T) {
	e := ownFanOut(t)
	nodes := e.nodes.Primaries()
	t.Run("079 CONFIG SET reaches all nodes", func(t *testing.T) {
		e.want(t, pipeline(cmd("CONFIG", "SET", "slowlog-max-len", "333"), cmd("CONFIG", "GET", "slowlog-max-len")),
			"OK", `{"slowlog-max-len": "333"}`)
		for _, n := range e.nodes.Nodes() {
			if got := string(n.MustDo(t, "CONFIG", "GET", "slowlog-max-len")); !strings.Contains(got, "333") {
				t.Errorf("%s has %q", n.Addr(), got)
			}
		}
	})
	t.Run("080 PING SET FLUSHALL DBSIZE", func(t *testing.T) {
		for _, n := range nodes {
			key := e.nodes.KeyFor(t, n)
			e.want(t, pipeline(cmd("PING"), cmd("SET", key, "v"), cmd("FLUSHALL"), cmd("DBSIZE")), "PONG", "OK", "OK", "0")
		}
		for _, n := range nodes {
			if got := n.Text(t, "DBSIZE"); got != "0" {
				t.Errorf("%s still has %s keys", n.Addr(), got)
			}
		}
	})
	t.Run("108 sum and concatenation", func(t *testing.T) {
		var keys []string
		for i, n := range nodes {
			for j := range i + 1 {
				keys = append(keys, e.nodes.KeyFor(t, n, number(j)))
				e.must(t, pipeline(cmd("SET", keys[len(keys)-1], "v")))
			}
		}
		values := e.must(t, pipeline(cmd("DBSIZE"), cmd("KEYS", "*"), cmd("RANDOMKEY"), cmd("EXISTS", keys[0])))
		if got := render(values[0]); got != "6" {
			t.Errorf("DBSIZE %s, the shards have 1, 2 and 3", got)
		}
		var got []string
		for _, v := range values[1].GetArrayValue().GetElements() {
			got = append(got, string(v.GetBytesValue()))
		}
		slices.Sort(got)
		slices.Sort(keys)
		if diff := cmp.Diff(keys, got); diff != "" {
			t.Errorf("KEYS (-want +got):\n%s", diff)
		}
		if random := string(values[2].GetBytesValue()); !slices.Contains(keys, random) {
			t.Errorf("RANDOMKEY %q", random)
		}
		// The only key left is on one shard: the others' null does not count.
		e.want(t, pipeline(cmd("FLUSHALL"), cmd("RANDOMKEY"), cmd("SET", keys[5], "v"), cmd("RANDOMKEY")),
			"OK", "nil", "OK", `"`+keys[5]+`"`)
	})
	t.Run("108 minimum", func(t *testing.T) {
		// Each shard has one replica, and the WAIT comes behind the SET on its connection.
		e.want(t, pipeline(cmd("SET", e.nodes.KeyFor(t, nodes[0]), "v"), cmd("WAIT", "1", "20000")), "OK", "1")
	})
	t.Run("108 logical and", func(t *testing.T) {
		script := "return 'for " + e.tag + "'"
		sha := nodes[1].Text(t, "SCRIPT", "LOAD", script) // known to one node only
		missing := strings.Repeat("f", 40)
		e.want(t, pipeline(cmd("SCRIPT", "EXISTS", sha, missing)), "[0 0]")
		e.want(t, pipeline(cmd("SCRIPT", "LOAD", script), cmd("SCRIPT", "EXISTS", missing, sha)), `"`+sha+`"`, "[0 1]")
	})
}

// A real node gives no reply of a wrong type: scripted nodes do.
func TestAcceptance108_PartsThatCannotBeMerged(t *testing.T) {
	replies := map[string][3]string{
		"DBSIZE":    {":1\r\n", ":2\r\n", ":40\r\n"},
		"LASTSAVE":  {":7\r\n", ":7\r\n", ":7\r\n"},
		"WAIT":      {":5\r\n", ":3\r\n", ":4\r\n"},
		"SCRIPT":    {"*2\r\n:1\r\n:0\r\n", "*2\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n:1\r\n"},
		"KEYS":      {"*1\r\n$1\r\na\r\n", "*0\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"},
		"RANDOMKEY": {"_\r\n", "$1\r\nb\r\n", "_\r\n"},
		// What cannot be merged, and what errs on one node.
		"LATENCY":  {":1\r\n", "+many\r\n", ":3\r\n"},
		"FLUSHALL": {"+OK\r\n", "-ERR not now\r\n", "+OK\r\n"},
	}
	s := startScript(t, 3, func(_ *script, node, _ int, args []string) []byte {
		if reply, ok := replies[strings.ToUpper(args[0])]; ok {
			return []byte(reply[node])
		}
		if strings.EqualFold(args[0], "GET") {
			return resp.AppendBulk(nil, []byte("v"))
		}
		return nil
	})
	e := serve(t, s.seeds(), "--allow-command", "all")
	get := cmd("GET", "k")
	for name, c := range map[string]struct {
		command *valkeybatchv1.Command
		want    string
	}{
		"sum":              {cmd("DBSIZE"), "43"},
		"minimum":          {cmd("WAIT", "1", "0"), "3"},
		"logical and":      {cmd("SCRIPT", "EXISTS", "x", "y"), "[1 0]"},
		"concatenation":    {cmd("KEYS", "*"), `["a" "b" "c"]`},
		"first non-null":   {cmd("RANDOMKEY"), `"b"`},
		"one node's error": {cmd("FLUSHALL"), "!ERR not now (2 of the command's 3 parts succeeded)"},
	} {
		t.Run(name, func(t *testing.T) { e.want(t, pipeline(get, c.command, get), `"v"`, c.want, `"v"`) })
	}
	t.Run("no integer", func(t *testing.T) {
		values := e.must(t, pipeline(get, cmd("LATENCY", "RESET"), get))
		got := values[1].GetErrorValue()
		if got.GetCode() != "REPLY" || got.GetOutcome() != ran || !strings.Contains(got.GetMessage(), s.nodes[1].Addr()) {
			t.Errorf("LATENCY RESET with a part that is no integer: %v", values[1])
		}
		if render(values[0]) != `"v"` || render(values[2]) != `"v"` {
			t.Errorf("neighbours %s and %s", render(values[0]), render(values[2]))
		}
	})
	t.Run("the error names its node", func(t *testing.T) {
		got := e.must(t, pipeline(cmd("FLUSHALL")))[0].GetErrorValue()
		if got.GetCode() != "ERR" || got.GetOutcome() != ran || got.GetNode() != s.nodes[1].Addr() {
			t.Errorf("FLUSHALL: %v", got)
		}
	})
}
