package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
)

// What becomes of a command without keys, sent by a caller whose keys are limited.
const (
	// harmless: it is let through.
	harmless = "harmless"
	// listsKeys: it names others' keys or tells which there are.
	listsKeys = "lists keys"
	// changesKeys: it changes or removes what others' keys hold.
	changesKeys = "changes keys"
	// runsCode: it runs a caller's code, or keeps or shows code that others run.
	runsCode = "runs code"
	// administers: it steers the server, or shows others' commands, connections or passwords.
	administers = "administers"
	// session: it is refused to everybody, as it changes a connection that is shared.
	session = "session"
	// module: a module does not tell what it reaches.
	module = "module"
)

// keyless are the decisions on all commands without keys, HELP of containers and the bare
// containers left out. A command that is new in a table has to be decided on here.
var keyless = map[string]string{
	"acl cat": harmless, "acl genpass": harmless, "acl whoami": harmless,
	"acl deluser": administers, "acl dryrun": administers, "acl getuser": administers, "acl list": administers, "acl load": administers,
	"acl log": administers, "acl save": administers, "acl setuser": administers, "acl users": administers,

	"asking": session, "auth": session, "discard": session, "exec": session, "hello": session, "multi": session, "unwatch": session,
	"monitor": session, "psync": session, "sync": session, "replconf": session, "quit": session, "reset": session,
	"readonly": session, "readwrite": session,
	"subscribe": session, "unsubscribe": session, "psubscribe": session, "punsubscribe": session, "ssubscribe": session, "sunsubscribe": session,

	"bgrewriteaof": administers, "bgsave": administers, "save": administers, "lastsave": administers, "role": administers,
	"failover": administers, "replicaof": administers, "slaveof": administers, "shutdown": administers, "pfselftest": administers,

	"client getname": harmless, "client getredir": harmless, "client id": harmless, "client info": harmless, "client trackinginfo": harmless,
	"client caching": session, "client capa": session, "client import-source": session, "client no-evict": session, "client no-touch": session,
	"client reply": session, "client setinfo": session, "client setname": session, "client tracking": session,
	"client kill": administers, "client list": administers, "client pause": administers, "client unblock": administers, "client unpause": administers,

	"cluster info": harmless, "cluster keyslot": harmless, "cluster links": harmless, "cluster myid": harmless, "cluster myshardid": harmless,
	"cluster nodes": harmless, "cluster shards": harmless, "cluster slots": harmless,
	// How many keys a slot holds tells whether a key is there, where slots hold few.
	"cluster countkeysinslot": listsKeys, "cluster getkeysinslot": listsKeys, "cluster slot-stats": listsKeys, "clusterscan": listsKeys,
	"cluster flushslot": changesKeys,
	"cluster syncslots": session,
	"cluster addslots":  administers, "cluster addslotsrange": administers, "cluster bumpepoch": administers, "cluster cancelslotmigrations": administers,
	"cluster count-failure-reports": administers, "cluster delslots": administers, "cluster delslotsrange": administers, "cluster failover": administers,
	"cluster flushslots": administers, "cluster forget": administers, "cluster getslotmigrations": administers, "cluster meet": administers,
	"cluster migrateslots": administers, "cluster replicas": administers, "cluster replicate": administers, "cluster reset": administers,
	"cluster saveconfig": administers, "cluster set-config-epoch": administers, "cluster setslot": administers, "cluster slaves": administers,

	"command": harmless, "command count": harmless, "command docs": harmless, "command getkeys": harmless, "command getkeysandflags": harmless,
	"command info": harmless, "command list": harmless,

	"commandlog get": administers, "commandlog len": administers, "commandlog reset": administers,
	"slowlog get": administers, "slowlog len": administers, "slowlog reset": administers,
	"config get": administers, "config resetstat": administers, "config rewrite": administers, "config set": administers,
	"latency doctor": administers, "latency graph": administers, "latency histogram": administers, "latency history": administers,
	"latency latest": administers, "latency reset": administers,
	"module list": administers, "module load": administers, "module loadex": administers, "module unload": administers,

	"dbsize": harmless, "info": harmless, "echo": harmless, "lolwut": harmless, "ping": harmless, "select": harmless, "time": harmless,
	"wait": harmless, "waitaof": harmless,
	"memory doctor": harmless, "memory malloc-stats": harmless, "memory purge": harmless, "memory stats": harmless,

	// Channels are no keys.
	"publish": harmless, "spublish": harmless, "pubsub channels": harmless, "pubsub numpat": harmless, "pubsub numsub": harmless,
	"pubsub shardchannels": harmless, "pubsub shardnumsub": harmless,

	"keys": listsKeys, "randomkey": listsKeys, "scan": listsKeys,
	"flushall": changesKeys, "flushdb": changesKeys, "swapdb": changesKeys,

	"debug":           runsCode,
	"function delete": runsCode, "function dump": runsCode, "function flush": runsCode, "function kill": runsCode, "function list": runsCode,
	"function load": runsCode, "function restore": runsCode, "function stats": runsCode,
	"script debug":  session,
	"script exists": runsCode, "script flush": runsCode, "script kill": runsCode, "script load": runsCode, "script show": runsCode,

	"ft._debug": module, "ft._list": module, "ft.aggregate": module, "ft.create": module, "ft.dropindex": module, "ft.info": module,
	"ft.internal_update": module, "ft.search": module,
	"json.debug keytable-check": module, "json.debug keytable-clear": module, "json.debug help": module,
	"json.debug keytable-distribution": module, "json.debug max-depth-key": module, "json.debug max-size-key": module,
}

// TestCommandsWithoutKeys holds what a caller with key patterns and every category may send to
// the decisions above, for the committed table and with a real server's answer over it.
func TestCommandsWithoutKeys(t *testing.T) {
	a, err := NewAccess([]string{"all", "@read", "@write", "@admin", "@dangerous", "@scripting", "@keyspace"}, nil, []string{"mine:*"})
	if err != nil {
		t.Fatal(err)
	}
	met := make(map[string]bool)
	for _, table := range []*Table{Builtin(), Builtin().With(infosOf(serverRows(t)))} {
		for _, c := range table.All() {
			if c.namesKeys() || len(c.subs) > 0 && c.Name != "command" || strings.HasSuffix(c.Name, " help") && !c.Has(Module) {
				continue
			}
			met[c.Name] = true
			decision, ok := keyless[c.Name]
			if !ok {
				t.Errorf("%s has no keys, and it is not decided whether it reaches those of others", c.Name)
				continue
			}
			if refused := a.Refuses(c, words(c.Name)) != nil; refused != (decision != harmless) {
				t.Errorf("%s: refused %v, but it is %q", c.Name, refused, decision)
			}
			if _, refused := c.Refused(); refused != (decision == session) {
				t.Errorf("%s: refused to everybody %v, but it is %q", c.Name, refused, decision)
			}
		}
	}
	for name := range keyless {
		if !met[name] {
			t.Errorf("%s is decided on, but no command without keys", name)
		}
	}
}

// TestArbitraryKeys checks that what says of itself that it touches arbitrary keys is refused to
// a caller whose keys are limited, whatever keys it names beside, and so is what nobody knows.
func TestArbitraryKeys(t *testing.T) {
	a, err := NewAccess([]string{"all"}, nil, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	flagged := 0
	rows, err := meta.ParseText(commandsText + supplementText + "newscan arity=2 flags=fast,touches_arbitrary_keys acl=fast,read key=index(1)/range(0,1,0)/access,ro\n" +
		"newwords arity=1 flags=readonly acl=fast,read\n" + "newget arity=2 flags=readonly acl=fast,read key=index(1)/range(0,1,0)/access,ro\n")
	if err != nil {
		t.Fatal(err)
	}
	table := (&Table{}).With(infosOf(rows))
	for i := range rows {
		if slices.Contains(rows[i].Flags, "touches_arbitrary_keys") {
			flagged++
			if c := lookup(t, table, strings.Replace(rows[i].Name, "|", " ", 1)); ruleOf(a.Refuses(c, words(c.Name+" x"))) != "keys" {
				t.Errorf("%s is let through", c.Name)
			}
		}
	}
	if flagged < 2 {
		t.Errorf("%d commands have the flag", flagged)
	}
	if ruleOf(a.Refuses(lookup(t, table, "newwords"), words("newwords"))) != "keys" {
		t.Error("a command without keys that nobody knows is let through")
	}
	if refusal := a.Refuses(lookup(t, table, "newget"), words("newget x")); refusal != nil {
		t.Errorf("a new command with keys is refused: %s", refusal.Reason)
	}
}
