package acceptance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// checkDenied sends a command that the policy denies, alone and in a longer batch.
func checkDenied(t *testing.T, e *env, line string) {
	t.Helper()
	words := strings.Fields(line)
	for mode, batch := range map[string]func(...*valkeybatchv1.Command) request{"P": pipeline, "A": atomicBatch} {
		for index, r := range map[string]request{
			"0": batch(cmd(words...)),
			"1": batch(cmd("SET", "k", "v"), cmd(strings.Fields(strings.ToLower(line))...)),
		} {
			f := e.fail(t, r, codes.InvalidArgument)
			if f.reason != "COMMAND_DENIED" || len(f.fields) != 1 || f.fields[0] != "batch.commands["+index+"].args" || f.metadata["index"] != index {
				t.Errorf("%s, %q: reason %s, fields %v, metadata %v, message %q", mode, line, f.reason, f.fields, f.metadata, f.message)
			}
		}
	}
}

// The commands that can stop, reconfigure, re-shard or empty the deployment or change
// others' access.
func TestAcceptance121_DefaultPolicyDenies(t *testing.T) {
	ownMatrix(t, "SC", []string{"--topology-refresh", "1h"}, func(t *testing.T, e *env) {
		w := watchEnv(t, e)
		for _, line := range []string{
			"SHUTDOWN", "SHUTDOWN NOSAVE", "DEBUG SLEEP 0", "DEBUG JMAP",
			"REPLICAOF NO ONE", "SLAVEOF NO ONE", "FAILOVER",
			"CLUSTER ADDSLOTS 1", "CLUSTER ADDSLOTSRANGE 1 2", "CLUSTER BUMPEPOCH", "CLUSTER DELSLOTS 1", "CLUSTER DELSLOTSRANGE 1 2",
			"CLUSTER FAILOVER", "CLUSTER FLUSHSLOTS", "CLUSTER FORGET x", "CLUSTER MEET 127.0.0.1 1", "CLUSTER REPLICATE x",
			"CLUSTER RESET", "CLUSTER SAVECONFIG", "CLUSTER SET-CONFIG-EPOCH 1", "CLUSTER SETSLOT 1 STABLE",
			"ACL SETUSER x", "ACL DELUSER x", "ACL LOAD", "ACL SAVE",
			"CONFIG SET maxmemory 1", "CONFIG REWRITE", "CONFIG RESETSTAT",
			"MODULE LOAD x", "MODULE LOADEX x", "MODULE UNLOAD x",
			"FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "SWAPDB 0 1",
			"CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "CLIENT UNPAUSE",
		} {
			checkDenied(t, e, line)
		}
		w.nothingSent(t)
	})
}

func TestAcceptance121_DefaultPolicyAllowsTheRest(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		for _, line := range []string{
			"KEYS nosuchkey*", "SORT " + e.k("list"), "INFO", "CONFIG GET maxmemory", "ACL WHOAMI", "ACL USERS", "MODULE LIST",
			"CLIENT LIST", "CLIENT ID", "CLIENT INFO", "DBSIZE", "LASTSAVE", "SLOWLOG GET", "EVAL return(1) 0", "SCRIPT EXISTS x",
			"COMMAND COUNT", "MEMORY USAGE " + e.k("s"), "OBJECT HELP",
		} {
			value := e.must(t, e.batch(cmd(strings.Fields(line)...)))[0]
			if value.GetErrorValue() != nil {
				t.Errorf("%s: %s", line, render(value))
			}
		}
		if e.isCluster {
			for _, line := range []string{"CLUSTER INFO", "CLUSTER SLOTS", "CLUSTER SHARDS", "CLUSTER MYID", "CLUSTER KEYSLOT k", "CLUSTER NODES"} {
				if value := e.must(t, e.batch(cmd(strings.Fields(line)...)))[0]; value.GetErrorValue() != nil {
					t.Errorf("%s: %s", line, render(value))
				}
			}
		}
	})
}

func TestAcceptance121_OperatorsPolicy(t *testing.T) {
	ownMatrix(t, "SC", []string{
		"--allow-command", "config|set", "--allow-command", "flushall", "--allow-command", "@admin",
		"--deny-command", "keys,@scripting,script|flush", "--deny-command", "shutdown", "--deny-command", "debug", "--deny-command", "save",
		"--topology-refresh", "1h",
	}, func(t *testing.T, e *env) {
		w := watchEnv(t, e)
		for _, line := range []string{
			"KEYS *", "EVAL return(1) 0", "EVALSHA x 0", "FCALL f 0", "FUNCTION LIST", "SCRIPT LOAD x", "SCRIPT FLUSH",
			// An entry of their own denies them, though their category is allowed.
			"SHUTDOWN", "DEBUG SLEEP 0", "SAVE",
			// No entry fits: the default.
			"FLUSHDB", "SWAPDB 0 1",
		} {
			checkDenied(t, e, line)
		}
		w.nothingSent(t)
		e.want(t, pipeline(cmd("FLUSHALL"), cmd("config", "set", "slowlog-max-len", "77"), cmd("CONFIG", "REWRITE"), cmd("CONFIG", "RESETSTAT")),
			"OK", "OK", "!ERR The server is running without a config file", "OK")
	})
	t.Run("all denied but some", func(t *testing.T) {
		matrix(t, "SC", "P", func(t *testing.T, e *env) {
			strict := e.again(t, "--deny-command", "all", "--allow-command", "get", "--allow-command", "set")
			strict.want(t, pipeline(cmd("SET", e.k("s"), "v"), cmd("GET", e.k("s"))), "OK", `"v"`)
			for _, line := range []string{"DEL k", "PING", "INFO", "FLUSHALL", "EVAL return(1) 0"} {
				checkDenied(t, strict, line)
			}
			// What breaks the connection is refused whatever is allowed.
			if f := strict.fail(t, pipeline(cmd("MULTI")), codes.InvalidArgument); f.reason != "COMMAND_REFUSED" {
				t.Errorf("MULTI: reason %s", f.reason)
			}
		})
	})
}
