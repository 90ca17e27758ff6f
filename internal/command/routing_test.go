package command

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
)

// TestPolicies pins where commands go and how answers are merged: what servers say, and what
// GLIDE does where they say nothing.
func TestPolicies(t *testing.T) {
	type policies struct {
		request  RequestPolicy
		response ResponsePolicy
	}
	for want, lines := range map[policies][]string{
		{None, NoResponse}: {
			"GET", "MSETNX", "MSETEX", "PUBLISH", "SPUBLISH", "EVAL", "FCALL", "SORT", "MIGRATE", "BITOP",
			"CONFIG GET", "CLIENT ID", "CLIENT LIST", "CLIENT UNBLOCK", "CLUSTER INFO", "CLUSTER KEYSLOT", "COMMAND COUNT",
			"ECHO", "TIME", "LASTSAVE", "LOLWUT", "ACL LIST", "ACL WHOAMI", "FUNCTION LIST", "MODULE LIST", "SHUTDOWN",
			"REPLICAOF", "FT.SEARCH", "FT._LIST", "PFCOUNT", "COPY", "HSETEX", "CLUSTER MYID",
		},
		{MultiShard, KeyOrder}:     {"MGET", "JSON.MGET"},
		{MultiShard, Sum}:          {"DEL", "UNLINK", "EXISTS", "TOUCH"},
		{MultiShard, AllSucceeded}: {"MSET", "JSON.MSET"},
		{AllNodes, AllSucceeded}: {
			"ACL DELUSER", "ACL SAVE", "ACL SETUSER", "CONFIG SET", "CONFIG REWRITE", "CONFIG RESETSTAT",
			"SCRIPT FLUSH", "SCRIPT LOAD", "SLOWLOG RESET", "COMMANDLOG RESET",
		},
		{AllNodes, Sum}:    {"CLIENT KILL", "PUBSUB NUMPAT", "SLOWLOG LEN", "LATENCY RESET", "COMMANDLOG LEN"},
		{AllNodes, Concat}: {"PUBSUB CHANNELS", "PUBSUB SHARDCHANNELS", "SLOWLOG GET", "COMMANDLOG GET"},
		{AllNodes, SumMap}: {"PUBSUB NUMSUB", "PUBSUB SHARDNUMSUB"},
		{AllNodes, ByNode}: {"LATENCY DOCTOR", "LATENCY GRAPH", "LATENCY HISTOGRAM", "LATENCY HISTORY", "LATENCY LATEST"},
		{AllShards, AllSucceeded}: {
			"CLIENT PAUSE", "CLIENT UNPAUSE", "FLUSHALL", "FLUSHDB", "FUNCTION DELETE", "FUNCTION FLUSH", "FUNCTION LOAD",
			"FUNCTION RESTORE", "MEMORY PURGE", "PING", "SAVE", "BGSAVE", "BGREWRITEAOF",
		},
		{AllShards, OneSucceeded}: {"FUNCTION KILL", "SCRIPT KILL"},
		{AllShards, Sum}:          {"DBSIZE"},
		{AllShards, Concat}:       {"KEYS", "CLUSTER SLOT-STATS"},
		{AllShards, LogicalAnd}:   {"SCRIPT EXISTS"},
		{AllShards, Min}:          {"WAIT", "WAITAOF"},
		{AllShards, FirstNonNull}: {"RANDOMKEY"},
		{AllShards, ByNode}:       {"INFO", "MEMORY DOCTOR", "MEMORY MALLOC-STATS", "MEMORY STATS", "FUNCTION STATS", "DEBUG"},
		{Special, NoResponse}:     {"SCAN", "CLUSTERSCAN"},
	} {
		for _, line := range lines {
			c := lookup(t, Builtin(), line)
			if got := (policies{c.Request, c.Response}); got != want {
				t.Errorf("%s: %v, %v; want %v, %v", line, got.request, got.response, want.request, want.response)
			}
		}
	}
}

// TestEveryFanOutHasAResponse: the executor has a rule for whatever it sends to several nodes.
func TestEveryFanOutHasAResponse(t *testing.T) {
	for _, c := range Builtin().All() {
		several := c.Request == AllNodes || c.Request == AllShards || c.Request == MultiShard
		if several != (c.Response != NoResponse) {
			t.Errorf("%s goes to %v, merged by %v", c.Name, c.Request, c.Response)
		}
		if several && len(c.subs) > 0 {
			t.Errorf("the container %s goes to several nodes", c.Name)
		}
	}
}

// TestTips: what a module's tips become.
func TestTips(t *testing.T) {
	plain := []meta.KeySpec{{Begin: meta.BeginIndex, Index: 1, Find: meta.FindRange, Last: -1, Step: 1}}
	single := []meta.KeySpec{{Begin: meta.BeginIndex, Index: 1, Find: meta.FindRange, Step: 1}}
	for _, tt := range []struct {
		name     string
		tips     []string
		specs    []meta.KeySpec
		request  RequestPolicy
		response ResponsePolicy
	}{
		{name: "none"},
		{name: "response alone", tips: []string{"response_policy:agg_sum"}},
		{name: "shards without response", tips: []string{"request_policy:all_shards"}, request: AllShards, response: Concat},
		{name: "nodes, special", tips: []string{"request_policy:all_nodes", "response_policy:special"}, request: AllNodes, response: ByNode},
		{name: "maximum", tips: []string{"request_policy:all_nodes", "response_policy:agg_max"}, request: AllNodes, response: Max},
		{name: "or", tips: []string{"request_policy:all_nodes", "response_policy:agg_logical_or"}, request: AllNodes, response: LogicalOr},
		{name: "upper case", tips: []string{"REQUEST_POLICY:ALL_SHARDS", "RESPONSE_POLICY:AGG_MIN"}, request: AllShards, response: Min},
		{name: "unknown", tips: []string{"request_policy:everywhere", "response_policy:best"}},
		{name: "split", tips: []string{"request_policy:multi_shard"}, specs: plain, request: MultiShard, response: KeyOrder},
		{name: "split without keys", tips: []string{"request_policy:multi_shard"}},
		{name: "split with one key", tips: []string{"request_policy:multi_shard"}, specs: single},
		{name: "split, special", tips: []string{"request_policy:multi_shard", "response_policy:special"}, specs: plain},
	} {
		c := infoOf(&meta.Row{Name: "mod.x", Arity: -1, Tips: tt.tips, Specs: tt.specs})
		if c.Request != tt.request || c.Response != tt.response {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, c.Request, c.Response, tt.request, tt.response)
		}
	}
}

func TestPolicyNames(t *testing.T) {
	if got := MultiShard.String() + ", " + FirstNonNull.String() + ", " + RequestPolicy(99).String() + ", " + ResponsePolicy(99).String(); got != "multi shard, first non-null, unknown, unknown" {
		t.Error(got)
	}
	if len(requestNames) != int(Special)+1 || len(responseNames) != int(FirstNonNull)+1 {
		t.Error("a policy has no name")
	}
}
