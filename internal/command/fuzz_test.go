package command

import (
	"bytes"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// FuzzKeys: whatever a call is made of, nothing panics and every key is an argument.
// Arguments are separated by newlines.
func FuzzKeys(f *testing.F) {
	for _, lines := range [][]string{malformedCalls, benchmarked, {
		`MIGRATE h 1 "" 0 10 AUTH2 keys keys KEYS a`, "GEORADIUS k 1 2 3 km STORE dst", "EVAL s 999999999 a", "XREAD STREAMS", "CONFIG", "MSETEX 2 a 1 b 2",
	}} {
		for _, line := range lines {
			f.Add(bytes.Join(words(line), []byte("\n")))
		}
	}
	policy, err := NewPolicy([]string{"@read"}, []string{"@dangerous"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, call []byte) {
		args := bytes.Split(call, []byte("\n"))
		checkInfo := func(c *Info) {
			keys, _ := c.Keys(args, nil)
			for _, i := range keys {
				if i <= 0 || i >= len(args) {
					t.Errorf("%s: key %d of %d arguments", c.Name, i, len(args))
				}
			}
			c.Blocks(args)
			c.Refused()
			policy.Denied(c)
			if c.Step() < 1 {
				t.Errorf("%s: step %d", c.Name, c.Step())
			}
		}
		if c, ok := Builtin().Lookup(args); ok {
			checkInfo(c)
		}
		// The arguments of one command are also those of commands with other rules.
		for _, c := range trickyInfos {
			checkInfo(c)
		}
	})
}

// trickyInfos are commands with one of every kind of key rule.
var trickyInfos = func() []*Info {
	var infos []*Info
	for _, line := range []string{"mset", "blpop", "eval", "zunionstore", "xread", "xreadgroup", "georadius", "georadiusbymember", "sort_ro", "sort", "migrate", "bitop", "json.mset", "msetex"} {
		if c, ok := Builtin().Lookup(words(line)); ok {
			infos = append(infos, c)
		}
	}
	return infos
}()

// FuzzParseCommandReply: no bytes panic, and what a reply is taken for does no harm when it
// is used, whatever a server declared.
func FuzzParseCommandReply(f *testing.F) {
	f.Add([]byte("*1\r\n*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"))
	f.Add([]byte("*1\r\n*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:2147483647\r\n:-5\r\n:2147483647\r\n"))
	f.Add([]byte("*1\r\n*10\r\n$1\r\nx\r\n:-2\r\n~0\r\n:0\r\n:0\r\n:0\r\n~0\r\n*1\r\n$26\r\nrequest_policy:multi_shard\r\n" +
		"~1\r\n%2\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$7\r\nkeyword\r\n$4\r\nspec\r\n%2\r\n$7\r\nkeyword\r\n$1\r\na\r\n$9\r\nstartfrom\r\n:-2\r\n" +
		"$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$6\r\nkeynum\r\n$4\r\nspec\r\n%3\r\n$9\r\nkeynumidx\r\n:0\r\n$8\r\nfirstkey\r\n:1\r\n$7\r\nkeystep\r\n:1\r\n*0\r\n"))
	f.Add([]byte("*2\r\n_\r\n*-1\r\n"))
	f.Add([]byte("*2147483647\r\n"))
	args := words("x a 2 b STREAMS c 1 KEYS d")
	f.Fuzz(func(t *testing.T, reply []byte) {
		infos, err := ParseCommandReply(resp.Frame(reply))
		if err != nil {
			return
		}
		table := Builtin().With(infos)
		for _, c := range infos {
			if c.Name == "" {
				t.Error("a command without a name")
			}
			keys, _ := c.Keys(args, nil)
			for _, i := range keys {
				if i <= 0 || i >= len(args) {
					t.Errorf("%s: key %d of %d arguments", c.Name, i, len(args))
				}
			}
		}
		if _, ok := table.Lookup(words("get k")); !ok {
			t.Error("GET is gone")
		}
		for _, line := range []string{"MONITOR", "CLIENT REPLY OFF"} {
			if c, ok := table.Lookup(words(line)); ok {
				if _, refused := c.Refused(); !refused {
					t.Errorf("%s is not refused any more", line)
				}
			}
		}
	})
}
