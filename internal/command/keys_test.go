package command

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// malformedCalls are calls whose keys cannot be found.
var malformedCalls = []string{
	"GET",
	"MSET",
	"DEL",
	"EVAL script",
	"EVAL script x",
	"EVAL script 2 a",
	"EVAL script -1 a",
	"ZUNION 0 a",
	"ZUNIONSTORE dst",
	"ZUNIONSTORE dst 2 a",
	"BLPOP 0",
	"BITOP AND",
	"OBJECT ENCODING",
	"XREAD STREAMS",
	"XREAD STREAMS a b 0",
	"XREADGROUP GROUP g c COUNT 1",
	"GEORADIUS",
	"EVAL script +-1 a",
	"EVAL script +  a",
	"EVAL script 99999999999999999999 a",
	"SORT",
	"SORT_RO",
	"MIGRATE h 1 k",
	"RENAME a",
	"JSON.MGET a",
}

func TestKeysOfMalformedCalls(t *testing.T) {
	for _, line := range malformedCalls {
		c := lookup(t, Builtin(), line)
		keys, err := c.Keys(words(line), nil)
		var malformed *MalformedError
		if !errors.As(err, &malformed) || malformed.Command == "" || malformed.Reason == "" {
			t.Errorf("%s: keys %v, error %v", line, keys, err)
		}
	}
}

func TestKeysAppends(t *testing.T) {
	line := "MGET a b"
	keys, err := lookup(t, Builtin(), line).Keys(words(line), []int{7})
	if diff := cmp.Diff([]int{7, 1, 2}, keys); diff != "" || err != nil {
		t.Errorf("%v, %s", err, diff)
	}
	var none *Info
	if keys, err := none.Keys(words(line), nil); keys != nil || err != nil {
		t.Errorf("no command: %v, %v", keys, err)
	}
}

// TestMigrateWithKeyAndKeys: the server rejects such a call on the node of its key.
func TestMigrateWithKeyAndKeys(t *testing.T) {
	line := "MIGRATE h 1 k 0 10 KEYS a b"
	got, err := keysOf(lookup(t, Builtin(), line), words(line))
	if err != nil || !cmp.Equal(got, []string{"k"}) {
		t.Errorf("keys %q, error %v", got, err)
	}
}

func TestStep(t *testing.T) {
	for line, want := range map[string]int{"MGET": 1, "DEL": 1, "MSET": 2, "JSON.MGET": 1, "JSON.MSET": 3, "MSETEX": 2, "PING": 1} {
		if got := lookup(t, Builtin(), line).Step(); got != want {
			t.Errorf("%s: step %d, want %d", line, got, want)
		}
	}
	var none *Info
	if none.Step() != 1 {
		t.Error("no command has no step of 1")
	}
}

func TestBlocks(t *testing.T) {
	for line, want := range map[string]bool{
		"BLPOP k 0":                         true,
		"blmove a b LEFT RIGHT 1":           true,
		"BZMPOP 0 1 k MIN":                  true,
		"BRPOPLPUSH a b 0":                  true,
		"WAIT 1 0":                          true,
		"WAITAOF 1 0 0":                     true,
		"LPOP k":                            false,
		"XREAD STREAMS k 0":                 false,
		"XREAD COUNT 1 STREAMS k 0":         false,
		"XREAD COUNT 1 BLOCK 5 STREAMS k 0": true,
		"xread block 0 streams k $":         true,
		"XREAD FUTURE BLOCK 0 STREAMS k 0":  true,
		"XREADGROUP GROUP g c NOACK BLOCK 1 STREAMS k >": true,
		"XREAD BLOCK\x00 0 STREAMS k $":                  true,
		"XREAD bLoCk\x00x 0 STREAMS k $":                 true,
		"XREAD STREAMS\x00 BLOCK 0":                      true,
		"XREAD BLOCKS\x00 STREAMS k $":                   false,
		"XREAD \x00BLOCK STREAMS k $":                    false,
		"XREAD BLO\u212a 0 STREAMS k $":                  false, // the Kelvin sign is no K to a server
		// The scan ends where the server's does, and that may be behind any STREAMS.
		"XREADGROUP GROUP\x00 g STREAMS BLOCK 0 STREAMS k >": true,
		"XREADGROUP GROUP g STREAMS BLOCK 0 STREAMS k >":     true,
		// Taken for calls that wait, though they do not.
		"XREAD STREAMS BLOCK 0":                    true,
		"XREADGROUP GROUP BLOCK BLOCK STREAMS k >": true,
		"XREADGROUP GROUP g c STREAMS BLOCK >":     true,
		"XREADGROUP GROUP g c STREAMS BLOCKS >":    false,
		"EVAL script 0":                            false,
	} {
		if got := lookup(t, Builtin(), line).Blocks(words(line)); got != want {
			t.Errorf("%s blocks: %v, want %v", line, got, want)
		}
	}
}

func TestRunsScript(t *testing.T) {
	for line, want := range map[string]struct{ script, untrusted bool }{
		"EVAL": {true, true}, "evalsha": {true, true}, "EVAL_RO": {true, true}, "EVALSHA_RO": {true, true},
		"FCALL": {true, true}, "FCALL_RO": {true, true}, "DEBUG ERROR": {true, true},
		"SCRIPT LOAD x": {}, "FUNCTION LOAD x": {}, "GET": {}, "MIGRATE": {},
		"JSON.SET": {untrusted: true}, "FT.SEARCH": {untrusted: true}, "JSON.DEBUG MEMORY": {untrusted: true},
	} {
		c := lookup(t, Builtin(), line)
		if c.RunsScript() != want.script || c.ErrorsUntrusted() != want.untrusted {
			t.Errorf("%s runs a script: %v, errors untrusted: %v, want %v", line, c.RunsScript(), c.ErrorsUntrusted(), want)
		}
	}
}

var benchmarked = []string{
	"get key",
	"SET key value EX 10",
	"MGET a b c d e f g h",
	"HSET key f v",
	"CONFIG GET maxmemory",
	"XREADGROUP GROUP g c COUNT 10 STREAMS a b > >",
	"ZUNIONSTORE dst 2 a b",
	"SORT k BY p STORE dst",
	`MIGRATE h 1 "" 0 10 KEYS a b c`,
}

func TestLookupAndKeysDoNotAllocate(t *testing.T) {
	table := Builtin()
	policy, err := NewPolicy(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]int, 0, 16)
	for _, line := range benchmarked {
		args := words(line)
		allocs := testing.AllocsPerRun(100, func() {
			c, ok := table.Lookup(args)
			if !ok {
				t.Fatalf("%s is not in the table", line)
			}
			if keys, err = c.Keys(args, keys[:0]); err != nil {
				t.Fatal(err)
			}
			if _, refused := c.Refused(); refused {
				t.Fatalf("%s is refused", line)
			}
			if _, denied := policy.Denied(c); denied {
				t.Fatalf("%s is denied", line)
			}
			c.Blocks(args)
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", line, allocs)
		}
	}
}

func BenchmarkLookupAndKeys(b *testing.B) {
	table := Builtin()
	policy, err := NewPolicy(nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range benchmarked {
		args := words(line)
		b.Run(line, func(b *testing.B) {
			b.ReportAllocs()
			keys := make([]int, 0, 16)
			for b.Loop() {
				c, _ := table.Lookup(args)
				keys, _ = c.Keys(args, keys[:0])
				c.Refused()
				policy.Denied(c)
			}
		})
	}
}
