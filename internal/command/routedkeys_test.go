package command

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// router is a cluster of one node that tells by which words of a call it routes it.
type router struct {
	conn  *valkeytest.Conn
	slots map[string]string
}

func newRouter(t *testing.T) *router {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Primaries: 1, Args: []string{"--cluster-require-full-coverage", "no"}})
	r := &router{conn: c.Primaries()[0].Dial(t), slots: map[string]string{}}
	t.Cleanup(r.conn.Close)
	return r
}

func (r *router) slot(t *testing.T, word string) string {
	if _, ok := r.slots[word]; !ok {
		n, _ := r.conn.Do(t, "CLUSTER", "KEYSLOT", word).Integer()
		r.slots[word] = strconv.FormatInt(n, 10)
	}
	return r.slots[word]
}

// route returns the slot that the node routes a call to, "several" if there are several, or
// "" if it is none: a word matters if the node takes no call when it does not serve the
// word's slot. The call is queued and never carried out.
func (r *router) route(t *testing.T, call []string) string {
	t.Helper()
	words := slices.Compact(slices.Sorted(slices.Values(call[1:])))
	commands := [][]string{{"MULTI"}, call, {"DISCARD"}}
	for _, word := range words {
		slot := r.slot(t, word)
		commands = append(commands, []string{"CLUSTER", "DELSLOTS", slot}, []string{"MULTI"}, call, []string{"DISCARD"}, []string{"CLUSTER", "ADDSLOTS", slot})
	}
	replies := r.conn.Pipeline(t, commands...)
	if replies[1].ErrorCode() == "CROSSSLOT" {
		return "several"
	}
	for i, word := range words {
		taken := replies[3+5*i : 8+5*i]
		for _, j := range []int{0, 1, 3, 4} {
			if string(taken[j]) != "+OK\r\n" {
				t.Fatalf("%q: step %d answered %q", call, j, taken[j])
			}
		}
		if taken[2].ErrorCode() == "CLUSTERDOWN" {
			return r.slot(t, word)
		}
	}
	return ""
}

// check holds the keys that this package finds in a call against the server's route. A call
// that the server routes nowhere is one that any node answers, and in the same words.
func (r *router) check(t *testing.T, c *Info, call []string) (routed bool) {
	t.Helper()
	args := make([][]byte, len(call))
	for i, word := range call {
		args[i] = []byte(word)
	}
	got := ""
	keys, err := c.Keys(args, nil)
	for _, k := range keys {
		switch slot := r.slot(t, call[k]); {
		case got == "" || got == slot:
			got = slot
		default:
			got = "several"
		}
	}
	want := r.route(t, call)
	if want != "" && (err != nil || got != want) {
		t.Errorf("%q: keys %v, error %v: slot %q, the server's %q", call, keys, err, got, want)
	}
	return want != ""
}

// TestKeysAsRouted: words with NULs, numbers that only C reads, options in any place, and keys
// that are called like options. What COMMAND GETKEYS says of a call (TestKeysOfRandomCalls) is
// not always what the server routes it by.
func TestKeysAsRouted(t *testing.T) {
	r := newRouter(t)
	for _, call := range [][]string{
		{"XREAD", "STREAMS\x00", "a", "0"},
		{"XREAD", "COUNT\x00x", "1", "sTREAMS\x00y", "a", "0"},
		{"XREAD", "COUNT", "STREAMS", "STREAMS", "a", "0"},
		{"XREAD", "STREAMS", "STREAMS", "0"},
		{"XREADGROUP", "NOACK", "GROUP", "g", "STREAMS", "STREAMS", "a", ">"},
		{"XREADGROUP", "GROUP", "STREAMS", "STREAMS", "STREAMS", "a", ">"},
		{"XREADGROUP", "GROUP\x00", "g", "STREAMS", "COUNT", "1", "STREAMS", "a", ">"},
		{"XREADGROUP", "GROUP\x00", "g", "STREAMS", "BLOCK\x00", "0", "STREAMS\x00", "a", ">"},
		{"SORT", "a", "STORE\x00", "a"},
		{"SORT", "a", "LIMIT\x00", "0", "1", "STORE\x00q", "b"},
		{"SORT", "a", "GET\x00", "STORE", "DESC"},
		{"GEORADIUS", "a", "1", "2", "3", "km", "STORE\x00", "b"},
		{"GEORADIUS", "a", "1", "2", "3", "km", "STORE", "b", "STORE", "a"},
		{"GEORADIUS", "a", "1", "2", "3", "km", "STORE", "a", "STOREDIST\x00", "b"},
		{"GEORADIUSBYMEMBER", "a", "m", "3", "km", "STORE\x00", "b"},
		{"GEORADIUSBYMEMBER", "a", "m", "3", "km", "STOREDIST", "STORE", "STORE", "a"},
		{"MIGRATE", "h", "1", "", "0", "10", "KEYS\x00", "a"},
		{"MIGRATE", "h", "1", "", "0", "10", "AUTH\x00x", "KEYS", "KEYS", "a"},
		{"MIGRATE", "h", "1", "", "0", "10", "AUTH2\x00", "KEYS", "KEYS", "keys\x00", "a", "b"},
		{"EVAL", "s", "+1", "a"},
		{"EVAL", "s", " \t\v01", "a"},
		{"EVAL", "s", "1\x00", "a"},
		{"EVAL", "s", "1x", "a"},
		{"EVAL", "s", "4294967297", "a"},
		{"EVAL", "s", "-4294967295", "a"},
		{"ZUNIONSTORE", "a", "+1", "a"},
		{"LMPOP", "2", "a", "LEFT"},
		{"SPUBLISH", "a", "b"},
	} {
		c := lookup(t, Builtin(), call[0])
		if !r.check(t, c, call) {
			t.Errorf("%q is routed nowhere", call)
		}
	}
	vocabulary := []string{
		"0", "1", "2", "+1", " 2", "01", "1\x00", "1x", "-1", "4294967298", "99999999999999999999", "a", "b", "c", "",
		"STREAMS", "streams\x00x", "STORE", "Store\x00", "STOREDIST\x00", "KEYS", "keys\x00", "AUTH\x00", "AUTH2", "auth2\x00x",
		"GET\x00", "BY", "LIMIT\x00", "COUNT", "count\x00", "BLOCK\x00", "GROUP", "group\x00", "NOACK", "noack\x00", "NOVALUES",
	}
	const calls = 60
	rng := rand.New(rand.NewPCG(3, 4))
	rows := serverRows(t)
	slices.SortFunc(rows, func(a, b meta.Row) int { return strings.Compare(a.Name, b.Name) })
	for i := range rows {
		row := &rows[i]
		c := lookup(t, Builtin(), strings.Replace(row.Name, "|", " ", 1))
		if !c.Has(MovableKeys) {
			continue
		}
		routed := 0
		for range calls {
			call := []string{row.Name}
			for n := max(row.Arity, -row.Arity) + rng.IntN(6); len(call) < n; {
				call = append(call, vocabulary[rng.IntN(len(vocabulary))])
			}
			// Words that the server looks for are put where it looks, half the time.
			for _, s := range c.specs {
				if at := max(s.from, s.index+s.num); s.keyword != "" && at > 0 && at < len(call) && rng.IntN(2) == 0 {
					call[at] = s.keyword
				}
			}
			if row.Name == "migrate" && rng.IntN(2) == 0 {
				call[3] = ""
			}
			if r.check(t, c, call) {
				routed++
			}
		}
		if routed == 0 {
			t.Errorf("of %d calls of %s the server routes none", calls, row.Name)
		}
	}
}

// TestNamesAsServer holds what makes a name against a server: in any case, and no byte more.
// That a server with another hash seed may take "GET\x00x" for GET is why it is not sent.
func TestNamesAsServer(t *testing.T) {
	server := valkeytest.SharedServer(t)
	for _, call := range [][]string{
		{"gEt", "k"}, {"\u212aeys", "*"}, {"get ", "k"}, {"config|get", "x"}, {"", "k"}, {"\u017fet", "k", "v"},
		{"config", "gEt", "x"}, {"config", "nosuch"}, {"config", ""}, {"config", "get "}, {"command", "x"}, {"object", "\u0131dletime", "k"},
	} {
		args := make([][]byte, len(call))
		for i, word := range call {
			args[i] = []byte(word)
		}
		_, known := Builtin().Lookup(args)
		reply := resp.Frame(server.Do(t, call...))
		if serverKnows := !strings.HasPrefix(reply.ErrorText(), "ERR unknown "); serverKnows != known {
			t.Errorf("%q is known: %v, and the server says %q", call, known, reply)
		}
	}
	// COMMAND INFO, by which subcommands are learned, knows a subcommand as "container|word".
	if infos, err := ParseCommandReply(server.MustDo(t, "COMMAND", "INFO", "config|get", "config|nosuch", "config|get|x")); err != nil || len(infos) != 1 || !cmp.Equal(infos[0].Name, "config get") {
		t.Errorf("%v, %v", infos, err)
	}
}
