package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// getKeys is COMMAND GETKEYS for a call.
func getKeys(args [][]byte) []string {
	call := []string{"COMMAND", "GETKEYS"}
	for _, arg := range args {
		call = append(call, string(arg))
	}
	return call
}

// keysOf are the keys of a call as this package sees them.
func keysOf(c *Info, args [][]byte) ([]string, error) {
	positions, err := c.Keys(args, nil)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, i := range positions {
		keys = append(keys, string(args[i]))
	}
	return keys, nil
}

// texts are the elements of an array of strings, or nil and the text of an error.
func texts(t testing.TB, f resp.Frame) (keys []string, failure string) {
	t.Helper()
	if f.IsError() {
		return nil, f.ErrorText()
	}
	e, rest, err := resp.Next(f)
	for n := e.Count; n > 0 && err == nil; n-- {
		e, rest, err = resp.Next(rest)
		keys = append(keys, string(e.Text))
	}
	if err != nil {
		t.Fatalf("%q: %v", f, err)
	}
	return keys, ""
}

// samples are calls of commands whose key specifications do not tell how to make one.
var samples = map[string]string{
	"sort":       "sort k1 BY STORE STORE dst",
	"sort_ro":    "sort_ro k1 BY p",
	"xread":      "xread BLOCK 1 STREAMS streams k2 0 0",
	"xreadgroup": "xreadgroup GROUP g streams NOACK STREAMS k1 streams > >",
	"georadius":  "georadius k1 1 2 3 km COUNT 1 STORE dst",
	// The server's specifications know more destinations than one; the last one counts.
	"georadiusbymember": "georadiusbymember k1 m 3 km STOREDIST dst",
	"migrate":           `migrate host 1 "" 0 100 COPY AUTH keys KEYS k1 k2`,
}

// sampleOf makes a call of a command from its key specifications and arity.
func sampleOf(r *meta.Row) ([][]byte, bool) {
	if line, ok := samples[r.Name]; ok {
		return words(line), true
	}
	args := strings.Split(r.Name, "|")
	reach := func(n int) {
		for len(args) <= n {
			args = append(args, fmt.Sprintf("arg%d", len(args)))
		}
	}
	reach(max(r.Arity, -r.Arity) - 1)
	for i := range r.Specs {
		s := &r.Specs[i]
		first := s.Index
		switch s.Begin {
		case meta.BeginKeyword:
			first = max(s.From, len(args))
			reach(first)
			args[first] = strings.ToLower(s.Keyword)
			first++
		case meta.BeginUnknown:
			return nil, false
		}
		switch s.Find {
		case meta.FindRange:
			switch {
			case s.Last >= 0:
				reach(first + s.Last)
			case s.Limit > 1:
				reach(first + 2*s.Limit - 1)
			default:
				reach(first - s.Last - 1 + 2*s.Step)
				// The range ends a whole number of steps from its beginning.
				for (len(args)+s.Last-first)%s.Step != 0 {
					reach(len(args))
				}
			}
		case meta.FindKeyNum:
			reach(first + s.First + s.Step)
			args[first+s.NumIndex] = "2"
		case meta.FindUnknown:
			return nil, false
		}
	}
	if r.Arity > 0 && len(args) != r.Arity {
		return nil, false
	}
	call := make([][]byte, len(args))
	for i, arg := range args {
		call[i] = []byte(arg)
	}
	return call, true
}

// TestKeysAsServer holds the key positions of every command that takes keys against the
// server's own. A command that no call can be made of fails it.
func TestKeysAsServer(t *testing.T) {
	conn := valkeytest.SharedServer(t).Dial(t)
	defer conn.Close()
	rows := serverRows(t)
	table := Builtin().With(infosOf(rows))
	checked := 0
	for i := range rows {
		r := &rows[i]
		c := lookup(t, table, strings.Replace(r.Name, "|", " ", 1))
		if len(r.Specs) == 0 && !c.Has(MovableKeys) {
			if keys, err := c.Keys(words("a b c d e f"), nil); err != nil || len(keys) > 0 {
				t.Errorf("%s takes no keys, but has %v, %v", r.Name, keys, err)
			}
			continue
		}
		args, ok := sampleOf(r)
		if !ok {
			t.Errorf("no call can be made of %s: it needs a sample", r.Name)
			continue
		}
		want, failure := texts(t, conn.Do(t, getKeys(args)...))
		if r.Specs[0].Has("not_key") {
			// The server does not call channels keys.
			want, failure = []string{string(args[1])}, ""
			if len(c.specs) > 0 && c.specs[0].last < 0 {
				want = want[:0]
				for _, arg := range args[1:] {
					want = append(want, string(arg))
				}
			}
		}
		got, err := keysOf(c, args)
		if err != nil || failure != "" {
			t.Errorf("%q: error %v, the server's: %q", args, err, failure)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: keys (-server +ours):\n%s", args, diff)
		}
		if len(got) == 0 {
			t.Errorf("%q has no keys", args)
		}
		if c.KeysUnknown() {
			t.Errorf("the keys of %s are not known", r.Name)
		}
		checked++
	}
	if checked < 150 {
		t.Errorf("only %d commands take keys", checked)
	}
}

// TestKeysOfTrickyCalls holds calls that are easy to get wrong against the server.
func TestKeysOfTrickyCalls(t *testing.T) {
	conn := valkeytest.SharedServer(t).Dial(t)
	defer conn.Close()
	for _, line := range []string{
		"GET k",
		"MSET a 1 b 2 c 3",
		"mset a 1",
		"EVAL script 0",
		"EVAL script 0 a b",
		"EVAL script 2 a b c",
		"EVALSHA_RO sha 1 a",
		"EVAL script 3 a b",
		"EVAL script -1 a",
		"EVAL script x a",
		"EVAL script 01 a",
		"EVAL script 1x a",
		"ZUNION 02 a b",
		"EVAL script 99999999999999999999 a",
		"EVAL script 999999999999999999 a",
		"FCALL f 1 k arg",
		"FCALL_RO f 0",
		"ZUNIONSTORE dst 2 a b WEIGHTS 1 2",
		"ZUNIONSTORE dst 3 a b",
		"ZINTER 2 a b WITHSCORES",
		"ZINTER 0 a b",
		"LMPOP 2 a b LEFT",
		"BLMPOP 0 2 a b LEFT COUNT 1",
		"BZMPOP 0 1 a MIN",
		"BLPOP a b c 0",
		"BITOP AND dst a b c",
		"OBJECT ENCODING k",
		"OBJECT HELP",
		"MEMORY USAGE k SAMPLES 0",
		"XINFO STREAM k FULL",
		"XGROUP CREATE k g $ MKSTREAM",
		"XREAD STREAMS a b 0 0",
		"XREAD COUNT 2 BLOCK 0 STREAMS a 0",
		"XREAD COUNT 2 streams STREAMS 0",
		"XREADGROUP GROUP STREAMS c STREAMS a b > >",
		"XREADGROUP GROUP g STREAMS COUNT 1 NOACK STREAMS a >",
		"GEORADIUS k 1 2 3 km",
		"GEORADIUS k 1 2 3 km STORE dst",
		"GEORADIUS k 1 2 3 km COUNT 1 ASC STOREDIST dst",
		"GEORADIUS k 1 2 3 km WITHCOORD storedist dst",
		"GEORADIUSBYMEMBER k STORE 3 km STORE dst",
		"GEORADIUSBYMEMBER k m 3 km STORE",
		"GEOSEARCHSTORE dst src FROMMEMBER m BYRADIUS 1 km STOREDIST",
		"SORT k",
		"SORT k STORE dst",
		"SORT k BY STORE GET x LIMIT 0 1 STORE dst",
		"SORT k GET STORE GET # DESC",
		"SORT k LIMIT STORE STORE",
		"SORT k STORE a STORE b ALPHA",
		"SORT k BY p STORE limit",
		"SORT_RO k BY STORE",
		"SORT_RO k GET STORE GET x",
		"MIGRATE h 1 k 0 10",
		"MIGRATE h 1 k 0 10 COPY REPLACE",
		`MIGRATE h 1 "" 0 10 KEYS a b c`,
		`MIGRATE h 1 "" 0 10 COPY AUTH keys KEYS a b`,
		`MIGRATE h 1 "" 0 10 AUTH2 keys keys REPLACE KEYS a keys`,
		"MIGRATE h 1 k 0 10 AUTH keys",
		"MIGRATE h 1 k 0 10 AUTH2 keys x",
		"LCS a b LEN",
		"COPY a b DB 1",
		"RENAME a b",
		"LMOVE a b LEFT RIGHT",
		"SINTERCARD 2 a b LIMIT 1",
		"SMOVE a b m",
		"PFMERGE dst a b",
		"SUNIONSTORE dst a b",
		"MSETNX a 1 b 2",
		"PFDEBUG GETREG k",
		"RESTORE-ASKING k 0 x",
		"PUBLISH channel message",
		"CLUSTER KEYSLOT k",
		"CLUSTER COUNTKEYSINSLOT 1",
		"SCRIPT EXISTS a b",
		"WAIT 1 0",
		"CONFIG GET maxmemory",
		"PING",
		"EXISTS a b c",
		"GETEX k PERSIST",
		"SET k v GET",
		"BITFIELD k GET u8 0",
		"BITFIELD_RO k GET u8 0",
	} {
		args := words(line)
		c := lookup(t, Builtin(), line)
		want, failure := texts(t, conn.Do(t, getKeys(args)...))
		got, err := keysOf(c, args)
		switch {
		case strings.Contains(failure, "no key arguments"):
			if len(got) > 0 || err != nil {
				t.Errorf("%s: keys %q, error %v, and the server: %s", line, got, err, failure)
			}
		case failure != "":
			if err == nil {
				t.Errorf("%s: keys %q, and the server: %s", line, got, failure)
			}
		case err != nil && len(want) == 0:
			// The server finds no keys in a call that it goes on to reject.
		case err != nil:
			t.Errorf("%s: %v, and the server's keys %q", line, err, want)
		case !cmp.Equal(got, want):
			t.Errorf("%s: keys %q, the server's %q", line, got, want)
		}
	}
}

// routedOtherwise are the commands of which COMMAND GETKEYS finds other keys than those by
// which the server routes; TestKeysAsRouted is for these too.
var routedOtherwise = map[string]bool{"xread": true, "xreadgroup": true, "georadius": true, "georadiusbymember": true}

// TestKeysOfRandomCalls makes calls of words that mean something to some command. Where the
// server names keys, the same are found; what else is found is harmless, because the server
// answers such a call with an error, wherever it is sent.
func TestKeysOfRandomCalls(t *testing.T) {
	conn := valkeytest.SharedServer(t).Dial(t)
	defer conn.Close()
	const calls = 40
	rng := rand.New(rand.NewPCG(1, 2))
	vocabulary := []string{"0", "1", "2", "3", "-1", "a", "b", "c", "keys", "STREAMS", "store", "STOREDIST", "GET", "by", "LIMIT", "AUTH", "auth2", "BLOCK", "COUNT", ""}
	rows := serverRows(t)
	// The server's own order changes from one process to the next; the seed is to mean the same.
	slices.SortFunc(rows, func(a, b meta.Row) int { return strings.Compare(a.Name, b.Name) })
	for i := range rows {
		r := &rows[i]
		if len(r.Specs) == 0 || r.Specs[0].Has("not_key") || routedOtherwise[r.Name] {
			continue
		}
		name := strings.Split(r.Name, "|")
		c := lookup(t, Builtin(), strings.Join(name, " "))
		var batch [][]string
		var all [][][]byte
		for range calls {
			n := max(r.Arity, -r.Arity)
			if r.Arity < 0 {
				n += rng.IntN(6)
			}
			var args [][]byte
			for _, word := range name {
				args = append(args, []byte(word))
			}
			for len(args) < n {
				args = append(args, []byte(vocabulary[rng.IntN(len(vocabulary))]))
			}
			all = append(all, args)
			batch = append(batch, getKeys(args))
		}
		for j, reply := range conn.Pipeline(t, batch...) {
			want, failure := texts(t, reply)
			got, err := keysOf(c, all[j])
			if failure == "" && len(got)+len(want) > 0 && (err != nil || !cmp.Equal(got, want)) {
				t.Errorf("%q: keys %q, error %v, the server's %q", all[j], got, err, want)
			}
		}
	}
}

// TestChannelsAreRoutedLikeKeys pins what COMMAND GETKEYS does not tell.
func TestChannelsAreRoutedLikeKeys(t *testing.T) {
	for line, want := range map[string][]string{
		"SPUBLISH channel message":      {"channel"},
		"PUBLISH channel message":       nil,
		"CLUSTERSCAN 0-{06S}-0 COUNT 5": {"0-{06S}-0"},
	} {
		got, err := keysOf(lookup(t, Builtin(), line), words(line))
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: keys %q, error %v", line, got, err)
		}
	}
}

// TestKeysOfSupplement pins keys of commands that the test server does not know.
func TestKeysOfSupplement(t *testing.T) {
	for line, want := range map[string][]string{
		"MSETEX 2 a 1 b 2 NX EX 10":       {"a", "b"},
		"JSON.MGET a b c $":               {"a", "b", "c"},
		"JSON.MSET a $ 1 b $ 2":           {"a", "b"},
		"JSON.SET k $ 1":                  {"k"},
		"JSON.DEBUG MEMORY k":             {"k"},
		"JSON.DEBUG HELP":                 nil,
		"HSETEX k EX 10 FIELDS 1 f v":     {"k"},
		"DELIFEQ k v":                     {"k"},
		"FT.SEARCH index query":           nil,
		"FT.CREATE index SCHEMA f TAG":    nil,
		"BF.ADD k item":                   {"k"},
		"COMMANDLOG GET 10 large-reply":   nil,
		"HPEXPIRE k 1000 NX FIELDS 1 f":   {"k"},
		"HGETDEL k FIELDS 1 f":            {"k"},
		"CLUSTER GETSLOTMIGRATIONS":       nil,
		"CLIENT IMPORT-SOURCE ON":         nil,
		"HGETEX k PERSIST FIELDS 2 f1 f2": {"k"},
	} {
		got, err := keysOf(lookup(t, Builtin(), line), words(line))
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: keys %q, error %v", line, got, err)
		}
	}
}
