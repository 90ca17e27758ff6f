package command

import (
	"errors"
	"strings"
	"testing"
)

// denied are the calls that a policy denies, among those of lines.
func denied(t *testing.T, p *Policy, line string) bool {
	t.Helper()
	c := lookup(t, Builtin(), line)
	reason, denied := p.Denied(c)
	if denied != (reason != "") || denied && !strings.HasPrefix(reason, c.Name+" is denied") {
		t.Errorf("%s: denied %v, reason %q", line, denied, reason)
	}
	return denied
}

func TestDefaultPolicy(t *testing.T) {
	p, err := NewPolicy(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"SHUTDOWN", "DEBUG SLEEP", "REPLICAOF", "SLAVEOF", "FAILOVER",
		"CLUSTER", "CLUSTER MEET", "CLUSTER FORGET", "CLUSTER RESET", "CLUSTER SETSLOT", "CLUSTER ADDSLOTS", "CLUSTER ADDSLOTSRANGE",
		"CLUSTER DELSLOTS", "CLUSTER DELSLOTSRANGE", "CLUSTER FAILOVER", "CLUSTER FLUSHSLOTS", "CLUSTER REPLICATE", "CLUSTER BUMPEPOCH",
		"CLUSTER SAVECONFIG", "CLUSTER SET-CONFIG-EPOCH", "CLUSTER MIGRATESLOTS", "CLUSTER FLUSHSLOT", "CLUSTER CANCELSLOTMIGRATIONS", "CLUSTER",
		"ACL SETUSER", "ACL DELUSER", "ACL LOAD", "ACL SAVE", "ACL",
		"CONFIG SET", "CONFIG REWRITE", "CONFIG RESETSTAT", "CONFIG",
		"MODULE LOAD", "MODULE LOADEX", "MODULE UNLOAD",
		"FLUSHALL", "flushdb", "SWAPDB",
		"CLIENT KILL", "CLIENT PAUSE", "CLIENT UNPAUSE", "CLIENT UNBLOCK",
		"JSON.DEBUG KEYTABLE-CORRUPT",
	} {
		if !denied(t, p, line) {
			t.Errorf("%s is not denied", line)
		}
	}
	for _, line := range []string{
		"GET", "SET", "DEL", "KEYS", "SORT", "INFO", "EVAL", "FCALL", "FUNCTION LOAD", "FUNCTION FLUSH", "SCRIPT FLUSH", "SCRIPT LOAD", "MIGRATE", "RESTORE",
		"CLUSTER INFO", "CLUSTER NODES", "CLUSTER SLOTS", "CLUSTER SHARDS", "CLUSTER KEYSLOT", "CLUSTER COUNTKEYSINSLOT", "CLUSTER GETKEYSINSLOT",
		"CLUSTER MYID", "CLUSTER LINKS", "CLUSTER REPLICAS", "CLUSTER SLOT-STATS", "CLUSTER COUNT-FAILURE-REPORTS",
		"ACL WHOAMI", "ACL LIST", "ACL CAT", "ACL GETUSER", "ACL LOG", "ACL DRYRUN",
		"CONFIG GET", "MODULE LIST", "CLIENT LIST", "CLIENT ID",
		"SAVE", "BGSAVE", "BGREWRITEAOF", "SLOWLOG GET", "LATENCY LATEST", "MEMORY PURGE", "DBSIZE", "JSON.DEBUG MEMORY", "BLPOP", "SELECT",
	} {
		if denied(t, p, line) {
			t.Errorf("%s is denied", line)
		}
	}
	var none *Policy
	if denied(t, none, "SHUTDOWN") {
		t.Error("no policy denies")
	}
}

func TestOperatorsPolicy(t *testing.T) {
	for _, tt := range []struct {
		name         string
		allow, deny  []string
		denied       []string
		allowedCalls []string
	}{
		{
			name: "a command allowed", allow: []string{"FlushAll"},
			denied: []string{"FLUSHDB"}, allowedCalls: []string{"FLUSHALL"},
		},
		{
			name: "a subcommand allowed", allow: []string{"config|set", " Client  Kill "},
			denied: []string{"CONFIG REWRITE", "CLIENT PAUSE"}, allowedCalls: []string{"CONFIG SET", "CLIENT KILL", "CONFIG GET"},
		},
		{
			name: "a container allowed", allow: []string{"cluster"},
			denied: []string{"CONFIG SET"}, allowedCalls: []string{"CLUSTER MEET", "CLUSTER"},
		},
		{
			name: "a container allowed but for one", allow: []string{"cluster"}, deny: []string{"cluster|reset"},
			denied: []string{"CLUSTER RESET"}, allowedCalls: []string{"CLUSTER MEET"},
		},
		{
			name: "a container denied but for one", allow: []string{"config get"}, deny: []string{"config"},
			denied: []string{"CONFIG SET", "CONFIG HELP", "CONFIG"}, allowedCalls: []string{"CONFIG GET"},
		},
		{
			name: "all denied but reading", allow: []string{"@read", "ping"}, deny: []string{"all"},
			denied: []string{"SET", "CONFIG GET", "EVAL"}, allowedCalls: []string{"GET", "MGET", "PING", "KEYS"},
		},
		{
			name: "reading, but nothing dangerous", allow: []string{"@read"}, deny: []string{"@ALL", "@dangerous"},
			denied: []string{"KEYS", "SET"}, allowedCalls: []string{"GET"},
		},
		{
			name: "a category denied", deny: []string{"@dangerous"},
			denied: []string{"KEYS", "INFO", "SORT", "FLUSHALL", "CONFIG GET"}, allowedCalls: []string{"GET", "ZUNION"},
		},
		{
			name: "a category denied but for one", allow: []string{"keys"}, deny: []string{"@dangerous"},
			denied: []string{"INFO"}, allowedCalls: []string{"KEYS"},
		},
		{
			name: "all allowed", allow: []string{"all"},
			allowedCalls: []string{"FLUSHALL", "SHUTDOWN", "CONFIG SET", "DEBUG"},
		},
		{
			name: "all allowed but for one", allow: []string{"all"}, deny: []string{"shutdown"},
			denied: []string{"SHUTDOWN"}, allowedCalls: []string{"FLUSHALL"},
		},
		{
			name: "a tie of categories", allow: []string{"all", "@read"}, deny: []string{"@keyspace"},
			denied: []string{"KEYS", "EXISTS"}, allowedCalls: []string{"GET", "SET"},
		},
		{
			name: "a container of refused and other subcommands", allow: []string{"client"}, deny: []string{"multi"},
			denied: []string{"MULTI"}, allowedCalls: []string{"CLIENT KILL"},
		},
		{
			name: "a category of modules", deny: []string{"@json"},
			denied: []string{"JSON.GET"}, allowedCalls: []string{"GET"},
		},
		{
			name: "a module's command that nobody knows", deny: []string{"mod.get", "mod.box|open"},
			allowedCalls: []string{"GET"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := NewPolicy(tt.allow, tt.deny)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range tt.denied {
				if !denied(t, p, line) {
					t.Errorf("%s is not denied", line)
				}
			}
			for _, line := range tt.allowedCalls {
				if denied(t, p, line) {
					t.Errorf("%s is denied", line)
				}
			}
		})
	}
}

func TestBadPolicyEntries(t *testing.T) {
	for _, entry := range []string{"", "  ", "@", "@nosuch", "flushal", "config|nosuch", "config set x", "get|x", "-flushall", "+@read", "*"} {
		for _, list := range []string{"allow", "deny"} {
			lists := map[string][]string{list: {"get", entry}}
			_, err := NewPolicy(lists["allow"], lists["deny"])
			var bad *PolicyError
			if !errors.As(err, &bad) || bad.Entry != entry || bad.List != list {
				t.Errorf("%s %q: %v", list, entry, err)
			}
		}
	}
}

// TestPolicyThatCannotHold checks that entries without effect, or against each other, are
// errors and not silence.
func TestPolicyThatCannotHold(t *testing.T) {
	for _, test := range []struct {
		allow, deny []string
		list, entry string
		says        string
	}{
		{[]string{"multi"}, nil, "allow", "multi", "multi is always refused: "},
		{[]string{"get", "Client|Reply"}, nil, "allow", "Client|Reply", "client reply is always refused: "},
		{[]string{"script debug"}, nil, "allow", "script debug", "script debug is always refused: "},
		{[]string{"get"}, []string{"set", "GET"}, "deny", "GET", "allow list too"},
		{[]string{"config set"}, []string{"config|set"}, "deny", "config|set", "allow list too"},
		{[]string{"@read"}, []string{"@READ"}, "deny", "@READ", "allow list too"},
		{[]string{"all"}, []string{"@all"}, "deny", "@all", "allow list too"},
	} {
		_, err := NewPolicy(test.allow, test.deny)
		var bad *PolicyError
		if !errors.As(err, &bad) || bad.List != test.list || bad.Entry != test.entry || !strings.Contains(bad.Error(), test.says) {
			t.Errorf("allow %q, deny %q: %v", test.allow, test.deny, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, line := range []string{
		"MULTI", "exec", "DISCARD", "WATCH k", "UNWATCH",
		"SUBSCRIBE c", "PSUBSCRIBE c", "SSUBSCRIBE c", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
		"MONITOR", "SYNC", "PSYNC ? -1", "REPLCONF ACK 0", "AUTH x", "HELLO 3", "RESET", "QUIT", "READONLY", "READWRITE", "ASKING",
		"CLIENT REPLY OFF", "client tracking on", "CLIENT CACHING YES", "CLIENT NO-EVICT ON", "CLIENT NO-TOUCH ON", "CLIENT SETNAME x",
		"CLIENT SETINFO LIB-NAME x", "CLIENT CAPA redirect", "CLIENT IMPORT-SOURCE ON", "CLIENT",
		"SCRIPT DEBUG YES", "CLUSTER SYNCSLOTS ESTABLISH",
	} {
		c := lookup(t, Builtin(), line)
		if reason, refused := c.Refused(); !refused || !strings.HasPrefix(reason, c.Name) || !strings.Contains(reason, " refused: ") {
			t.Errorf("%s: refused %v, reason %q", line, refused, reason)
		}
	}
	for _, line := range []string{
		"GET k", "SELECT 1", "PING", "PUBLISH c m", "SPUBLISH c m", "BLPOP k 0", "EVAL s 0", "SCRIPT LOAD x", "CLIENT ID", "CLIENT LIST",
		"CLIENT GETNAME", "CLIENT INFO", "CLIENT KILL ID 1", "CLIENT PAUSE 1", "CLIENT UNBLOCK 1", "CLIENT HELP", "SHUTDOWN", "FLUSHALL", "CONFIG SET a b",
	} {
		if reason, refused := lookup(t, Builtin(), line).Refused(); refused {
			t.Errorf("%s is refused: %s", line, reason)
		}
	}
	var none *Info
	if _, refused := none.Refused(); refused || none.Has(Write) || none.RunsScript() || none.Blocks(nil) || none.ErrorsUntrusted() || none.KeysUnknown() {
		t.Error("no command has properties")
	}
}
