package acceptance

import (
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestRedis7_CommandGroups is the basic suite against Debian's redis-server 7.0: the groups
// of commands, without what is newer, with the same results as on Valkey.
func TestRedis7_CommandGroups(t *testing.T) {
	server := valkeytest.StartServer(t, valkeytest.Binary("redis-server"))
	s := serve(t, []string{server.Addr()})
	for _, g := range []struct {
		name string
		rows []row
	}{
		{"Strings", stringRows},
		{"Bitmaps", bitmapRows},
		{"Generic", genericRows},
		{"Hashes", hashRows},
		{"Lists", listRows},
		{"Sets", setRows},
		{"SortedSets", sortedSetRows},
		{"Geo", geoRows},
		{"HyperLogLog", hyperLogLogRows},
		{"Streams", streamRows},
		{"Sort", sortRows},
		{"PubSub", pubSubRows},
		{"Connection", connectionRows},
		{"ReplyTypes", scriptRows},
	} {
		for _, mode := range []string{"A", "P"} {
			t.Run(g.name+"/"+mode, func(t *testing.T) {
				e := &env{service: s, server: server, isAtomic: mode == "A", tag: newTag()}
				e.group(t, before7(g.rows))
			})
		}
	}
}

// TestRedis7_Errors holds the errors in place and raised, and a discarded transaction.
func TestRedis7_Errors(t *testing.T) {
	server := valkeytest.StartServer(t, valkeytest.Binary("redis-server"))
	s := serve(t, []string{server.Addr()})
	for _, atomic := range []bool{false, true} {
		e := &env{service: s, server: server, isAtomic: atomic, tag: newTag()}
		e.want(t, e.batch(cmd("SET", e.k("s"), "v"), cmd("LPOP", e.k("s")), cmd("GET", e.k("s"))),
			"OK", "!WRONGTYPE Operation against a key holding the wrong kind of value", `"v"`)
	}
	checkArity(t, &env{service: s, server: server, tag: newTag()})
	checkArity(t, &env{service: s, server: server, tag: newTag(), isAtomic: true})
}

// checkArity sends a command with too few arguments: an error in place in a pipeline; in a
// transaction it fails the whole, of which nothing runs.
func checkArity(t *testing.T, e *env) {
	t.Helper()
	const message = "ERR wrong number of arguments for 'mset' command"
	batch := e.batch(cmd("SET", e.k("k"), "v"), cmd("MSET"), cmd("GET", e.k("k")))
	if !e.isAtomic {
		results := e.must(t, batch)
		if got := renderAll(results); got[0] != "OK" || got[1] != "!"+message || got[2] != `"v"` {
			t.Errorf("results %q", got)
		}
		if got := results[1].GetErrorValue(); got.GetCode() != "ERR" || got.GetOutcome() != valkeybatchv1.Outcome_OUTCOME_NOT_EXECUTED {
			t.Errorf("MSET: %v", got)
		}
		return
	}
	f := e.fail(t, batch, codes.InvalidArgument)
	for key, want := range map[string]string{"index": "1", "transaction": "EXECABORT", "outcome": "OUTCOME_NOT_EXECUTED", "code": "ERR"} {
		if f.metadata[key] != want {
			t.Errorf("metadata[%s] = %q, want %q", key, f.metadata[key], want)
		}
	}
	e.want(t, e.batch(cmd("EXISTS", e.k("k"))), "0")
}
