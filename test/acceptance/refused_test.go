package acceptance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// connectionBreakers are the commands that change the state of the connection they come on,
// in forms that a server would carry out, with what would show that it has.
var connectionBreakers = []string{
	"MULTI", "EXEC", "DISCARD", "WATCH k", "UNWATCH",
	"SUBSCRIBE ch", "UNSUBSCRIBE", "UNSUBSCRIBE ch", "PSUBSCRIBE p*", "PUNSUBSCRIBE", "PUNSUBSCRIBE p*",
	"SSUBSCRIBE ch", "SUNSUBSCRIBE", "SUNSUBSCRIBE ch",
	"MONITOR", "SYNC", "PSYNC ? -1", "REPLCONF ack 0",
	"AUTH secret", "AUTH default secret", "HELLO", "HELLO 2", "HELLO 3", "HELLO 9", "HELLO 3 SETNAME canary",
	"RESET", "QUIT", "READONLY", "READWRITE", "ASKING", "SCRIPT DEBUG YES", "CLUSTER SYNCSLOTS",
	"CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY ON",
	"CLIENT TRACKING ON", "CLIENT TRACKING ON BCAST", "CLIENT TRACKING OFF", "CLIENT CACHING YES",
	"CLIENT NO-EVICT ON", "CLIENT NO-TOUCH ON", "CLIENT SETNAME canary", "CLIENT SETINFO LIB-NAME canary",
	"CLIENT CAPA redirect", "CLIENT IMPORT-SOURCE ON", "CLIENT NOSUCHSUBCOMMAND", "CLIENT",
	// With wrong arguments too: what is refused is the command.
	"MULTI x", "WATCH", "SUBSCRIBE", "AUTH", "QUIT x", "CLIENT REPLY", "CLIENT TRACKING",
}

// recase writes a command's words, its name and subcommand included, in another case.
var recase = map[string]func(string) string{
	"upper": strings.ToUpper,
	"lower": strings.ToLower,
	"mixed": func(s string) string {
		return strings.Map(func(r rune) rune {
			if r%2 == 0 {
				return []rune(strings.ToLower(string(r)))[0]
			}
			return []rune(strings.ToUpper(string(r)))[0]
		}, s)
	},
}

// refusedBatches makes every batch that a refused command can come in.
func refusedBatches(words []string) map[string]request {
	out := map[string]request{}
	for mode, batch := range map[string]func(...*valkeybatchv1.Command) request{"P": pipeline, "A": atomicBatch} {
		out[mode+" alone"] = batch(cmd(words...))
		out[mode+" text alone"] = batch(text(words...))
		out[mode+" longer"] = batch(cmd("SET", "k", "v"), cmd("GET", "k"), cmd(words...), cmd("DEL", "k"))
		out[mode+" text longer"] = batch(cmd("SET", "k", "v"), cmd("GET", "k"), text(words...), cmd("DEL", "k")).raise()
	}
	return out
}

func TestAcceptance121_CommandsThatBreakTheConnectionAreRefused(t *testing.T) {
	// The operator's policy does not reach these.
	ownMatrix(t, "SC", []string{"--allow-command", "all", "--topology-refresh", "1h"}, func(t *testing.T, e *env) {
		breakers := connectionBreakers
		if e.isCluster {
			breakers = append(breakers[:len(breakers):len(breakers)], "SELECT 1", "SELECT 0")
		}
		w := watchEnv(t, e)
		before := openConnections(t, e)
		for _, line := range breakers {
			for _, change := range recase {
				words := strings.Fields(change(line))
				for name, r := range refusedBatches(words) {
					checkRefused(t, e, name, words, r)
				}
				if e.isCluster {
					checkRefused(t, e, "P alone", words, pipeline(cmd(words...)).route(randomRoute()))
					checkRefused(t, e, "A alone", words, atomicBatch(cmd(words...)).route(slotRoute(0, primary)))
				}
			}
		}
		w.nothingSent(t)
		if after := openConnections(t, e); after > before {
			t.Errorf("%d connections were open before, %d after", before, after)
		}
	})
}

// openConnections counts the clients of all nodes.
func openConnections(t testing.TB, e *env) (n int) {
	t.Helper()
	for _, node := range watchEnv(t, e).nodes {
		n += figure("n="+node.Info(t, "clients", "connected_clients"), "n")
	}
	return n
}

// checkRefused sends a batch with a refused command.
func checkRefused(t *testing.T, e *env, name string, words []string, r request) {
	t.Helper()
	f := e.fail(t, r, codes.InvalidArgument)
	index := "0"
	if strings.Contains(name, "longer") {
		index = "2"
	}
	form := "args"
	if strings.Contains(name, "text") {
		form = "text_args"
	}
	field := "batch.commands[" + index + "]." + form
	if f.reason != "COMMAND_REFUSED" || len(f.fields) != 1 || f.fields[0] != field {
		t.Errorf("%s, %q: reason %s, fields %v, message %q", name, words, f.reason, f.fields, f.message)
	}
	command := f.metadata["command"]
	if f.metadata["index"] != index || !strings.HasPrefix(strings.ToLower(strings.Join(words, " ")), command) || command == "" {
		t.Errorf("%s, %q: metadata %v", name, words, f.metadata)
	}
}

// canary sends batches, whose every answer is known, until ctx ends.
func canary(ctx context.Context, e *env, id int) error {
	key, hash := e.k(fmt.Sprintf("canary%d", id)), e.k(fmt.Sprintf("hash%d", id))
	for round := 0; ctx.Err() == nil; round++ {
		value := fmt.Sprint(round)
		for _, batch := range []func(...*valkeybatchv1.Command) request{pipeline, atomicBatch} {
			resp, err := e.send(batch(
				cmd("SET", key, value), cmd("GET", key), cmd("HSET", hash, "f", value), cmd("HGETALL", hash), cmd("CLIENT", "GETNAME"), cmd("DEL", hash),
			))
			if err != nil {
				return errors.New(describe(err))
			}
			want := fmt.Sprintf(`[OK %q 1 {"f": %q} "valkeybatch" 1]`, value, value)
			if got := fmt.Sprint(renderAll(resp.GetResults())); got != want {
				return fmt.Errorf("round %d: %s, want %s", round, got, want)
			}
		}
	}
	return nil
}

func TestAcceptance121_OtherCallersNeverSeeAnEffect(t *testing.T) {
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		results := make([]error, 4)
		var canaries sync.WaitGroup
		for i := range results {
			canaries.Go(func() { results[i] = canary(ctx, e, i) })
		}
		for range 3 {
			for _, line := range connectionBreakers {
				for name, r := range refusedBatches(strings.Fields(line)) {
					checkRefused(t, e, name, strings.Fields(line), r)
				}
			}
		}
		cancel()
		canaries.Wait()
		for i, err := range results {
			if err != nil {
				t.Errorf("canary %d: %v", i, err)
			}
		}
	})
}

// SELECT is a change of the connection that is allowed, on standalone deployments: it is
// undone behind the batch, whatever else goes wrong in it.
func TestAcceptance121_SelectAffectsItsOwnBatchOnly(t *testing.T) {
	matrix(t, "S", "AP", func(t *testing.T, e *env) {
		e.must(t, pipeline(cmd("SET", e.k("s"), "zero")))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var canaries sync.WaitGroup
		var seen error
		canaries.Go(func() { seen = canary(ctx, e, 0) })
		for range 100 {
			e.want(t, e.batch(cmd("SELECT", "3"), cmd("GET", e.k("s")), cmd("LPOP", e.k("s")), cmd("SELECT", "99"), cmd("SET", e.k("s"), "three")),
				"OK", "nil", "nil", "!ERR DB index is out of range", "OK")
			e.want(t, e.batch(cmd("GET", e.k("s"))), `"zero"`)
			e.want(t, e.batch(cmd("SELECT", "3"), cmd("GETDEL", e.k("s"))), "OK", `"three"`)
		}
		cancel()
		canaries.Wait()
		if seen != nil {
			t.Errorf("canary: %v", seen)
		}
	})
}
