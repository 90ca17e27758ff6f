package acceptance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Deployments are emptied and reconfigured: they are the test's own.
func TestAcceptance013_014_030_034_Administration(t *testing.T) {
	ownAdminMatrix(t, "SC", "AP", func(t *testing.T, e *env) {
		t.Run("030_Management", func(t *testing.T) { testManagement(t, e) })
		t.Run("034_ObjectAfterPolicy", func(t *testing.T) { testObjectAfterPolicy(t, e) })
		if e.isCluster {
			t.Run("013_014_FlushallAmongKeys", func(t *testing.T) { testFlushallAmongKeys(t, e) })
		}
	})
}

// No shard's data are left out: DBSIZE and FLUSHALL are the whole deployment's in a
// pipeline, and the one node's in a transaction.
func testFlushallAmongKeys(t *testing.T, e *env) {
	if e.isAtomic {
		e.want(t, e.batch(cmd("SET", e.k("k"), "bar"), cmd("GET", e.k("k")), cmd("FLUSHALL"), cmd("GET", e.k("k"))),
			"OK", `"bar"`, "OK", "nil")
		return
	}
	nodes := e.nodes.Primaries()
	here, there := e.nodes.KeyFor(t, nodes[0], "k"), e.nodes.KeyFor(t, nodes[2], "k")
	e.want(t, pipeline(cmd("SET", there, "v"), cmd("SET", here, "v")), "OK", "OK")
	e.want(t, pipeline(
		cmd("FLUSHALL"), cmd("SET", here, "bar"), cmd("GET", here), cmd("MGET", here, there), cmd("DBSIZE"),
	), "OK", "OK", `"bar"`, `["bar" nil]`, "1")
	e.want(t, pipeline(cmd("SET", there, "v"), cmd("DBSIZE"), cmd("FLUSHALL", "ASYNC"), cmd("DBSIZE"), cmd("GET", here)),
		"OK", "2", "OK", "0", "nil")
}

func TestAcceptance027_PubSub(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		e.group(t, pubSubRows)
	})
}

// pubSubRows is the group of scenario 27. The counts per channel are an array of channels
// and counts in turn in RESP3 too.
var pubSubRows = []row{
	{"PUBLISH @ch m", "0"},
	{"SPUBLISH @ch m", "0"},
	{"PUBSUB CHANNELS @*", "[]"},
	{"PUBSUB SHARDCHANNELS", "[]"},
	{"PUBSUB SHARDCHANNELS @*", "[]"},
	{"PUBSUB NUMSUB", "[]"},
	{"PUBSUB NUMSUB @ch @other", `["@ch" 0 "@other" 0]`},
	{"PUBSUB SHARDNUMSUB", "[]"},
	{"PUBSUB SHARDNUMSUB @ch", `["@ch" 0]`},
	{"PUBSUB NUMPAT", "0"},
}

// connectionRows is the group of scenario 28, as far as commands leave the connection alone.
var connectionRows = []row{
	{"PING", "PONG"},
	{"PING hello", `"hello"`},
	{"ECHO hello", `"hello"`},
	{"ECHO ''", `""`},
	{"CLIENT ID", `re:[1-9]\d*`},
	{"CLIENT GETNAME", `"valkeybatch"`},
	{"CLIENT INFO", `re:txt:"id=.* name=valkeybatch .* resp=3.*"`},
	{"CLIENT LIST TYPE normal", `re:txt:".*name=valkeybatch.*"`},
	{"CLIENT GETREDIR", "-1"},
	{"CLIENT TRACKINGINFO", `{"flags": ~{"off"}, "redirect": -1, "prefixes": []}`},
}

func TestAcceptance028_Connection(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		e.groupAs(t, connectionRows, func(commands ...*valkeybatchv1.Command) request {
			if !e.isCluster {
				return e.batch(commands...)
			}
			return e.batch(commands...).route(slotRoute(valkeytest.Slot(e.tag), primary))
		})
	})
}

// managementRows is the group of scenario 30, for one node that holds nothing. CONFIG
// REWRITE finds no file: the tests' servers are configured by their command line.
var managementRows = []row{
	{"FLUSHALL", "OK"},
	{"DBSIZE", "0"},
	{"SET @k v", "OK"},
	{"DBSIZE", "1"},
	{"CONFIG SET timeout 1000 maxmemory-samples 7", "OK"},
	{"CONFIG GET timeout", `{"timeout": "1000"}`},
	{"CONFIG GET maxmemory-sampl* no-such-*", `{"maxmemory-samples": "7"}`},
	{"CONFIG GET no-such-*", "{}"},
	{"CONFIG SET timeout many", "!ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer"},
	{"CONFIG RESETSTAT", "OK"},
	{"CONFIG REWRITE", "!ERR The server is running without a config file"},
	{"TIME", `re:\["\d{10}" "\d{1,6}"\]`},
	{"INFO keyspace", `re:txt:"# Keyspace\\r\\ndb0:keys=1,.*"`},
	{"INFO replication", `re:txt:"# Replication\\r\\nrole:master\\r\\n.*"`},
	{"MEMORY USAGE @k", `re:[1-9]\d*`},
	{"MEMORY USAGE @missing", "nil"},
	{"LATENCY LATEST", "[]"},
	{"SLOWLOG RESET", "OK"},
	{"SLOWLOG LEN", "0"},
	{"RANDOMKEY", `"@k"`},
	{"KEYS *", `["@k"]`},
	{"FLUSHDB SYNC", "OK"},
	{"RANDOMKEY", "nil"},
	{"KEYS *", "[]"},
	{"FLUSHALL ASYNC", "OK"},
	{"COMMAND COUNT", `re:[1-9]\d*`},
	{"ACL WHOAMI", `"default"`},
	{"CONFIG SET timeout 0", "OK"},
}

func testManagement(t *testing.T, e *env) {
	home := e.owner(t, e.tag)
	e.groupAs(t, managementRows, func(commands ...*valkeybatchv1.Command) request {
		return e.routed(e.batch(commands...))
	})
	if !e.isCluster {
		return
	}
	for _, other := range e.nodes.Primaries() {
		if calls := other.CommandStats(t, "flushdb"); (calls > 0) != (other == home) {
			t.Errorf("%s ran FLUSHDB %d times, the route is to %s", other.Addr(), calls, home.Addr())
		}
		other.MustDo(t, "CONFIG", "RESETSTAT")
	}
}

func testObjectAfterPolicy(t *testing.T, e *env) {
	e.group(t, []row{
		{"CONFIG SET maxmemory-policy allkeys-lfu", "OK"},
		{"SET @k v", "OK"},
		{"OBJECT FREQ @k", `re:\d+`},
		{"OBJECT IDLETIME @k", "!ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."},
		{"CONFIG SET maxmemory-policy allkeys-lru", "OK"},
		{"SET @k v", "OK"},
		{"OBJECT IDLETIME @k", `re:\d+`},
		{"OBJECT REFCOUNT @k", "re:[12]"}, // a transaction holds the queued argument too
		{"OBJECT ENCODING @k", `"embstr"`},
		{"OBJECT FREQ @k", "!ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."},
		{"CONFIG SET maxmemory-policy noeviction", "OK"},
	})
}

func TestAcceptance035_LastSave(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		got := e.must(t, e.batch(cmd("LASTSAVE")))[0]
		if at := time.Unix(got.GetIntegerValue(), 0); time.Since(at) > 24*time.Hour || time.Until(at) > time.Hour {
			t.Errorf("LASTSAVE = %s: %v", render(got), at)
		}
	})
}

func TestAcceptance036_Lolwut(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		results := e.must(t, e.batch(
			cmd("LOLWUT"), cmd("LOLWUT", "VERSION", "5"), cmd("LOLWUT", "VERSION", "6"),
			cmd("LOLWUT", "VERSION", "5", "30", "4", "4"), cmd("LOLWUT", "VERSION", "6", "50", "20")))
		for i, v := range results {
			if got := v.GetVerbatimValue(); got.GetFormat() != "txt" || !strings.Contains(string(got.GetData()), "ver") {
				t.Errorf("%d: %.100s", i, render(v))
			}
		}
	})
}

// A replica acknowledges where there is one; in a transaction WAIT does not wait.
func TestAcceptance044_Wait(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		want := "0"
		switch {
		case e.isFannedOut():
			want = "1" // the least of what the shards say, and each has one replica
		case e.isCluster:
			want = "re:[01]"
		}
		e.wantMatches(t, e.batch(cmd("SET", e.k("k"), "v"), cmd("WAIT", "1", "1000"), cmd("GET", e.k("k"))), "OK", want, `"v"`)
	})
}

// MIGRATE is the server's own: it dials the target, and what it meets comes as it says.
func TestAcceptance043_Migrate(t *testing.T) {
	target := valkeytest.StartServer(t)
	gone := valkeytest.StartServer(t)
	gone.Stop(t)
	host, port, _ := strings.Cut(target.Addr(), ":")
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		migrate := func(to string, rest ...string) *valkeybatchv1.Command {
			return cmd(append([]string{"MIGRATE", host, to}, rest...)...)
		}
		k, a, b := e.k("k"), e.k("a"), e.k("b")
		e.wantMatches(t, e.batch(
			migrate(port, e.k("missing"), "0", "1000"),
			cmd("MSET", k, "v", a, "1", b, "2"),
			migrate(strconv.Itoa(gone.Port()), k, "0", "100"),
			cmd("GET", k),
			migrate(port, k, "0", "5000"),
			cmd("EXISTS", k),
			migrate(port, "", "0", "5000", "COPY", "KEYS", a, b, e.k("missing")),
			cmd("EXISTS", a, b),
			migrate(port, "", "0", "5000", "KEYS", a),
			migrate(port, a, "0", "5000", "REPLACE", "KEYS", a),
			migrate(port, b, "0", "now"),
		),
			"NOKEY", "OK",
			"re:!IOERR error or timeout .*",
			`"v"`, "OK", "0", "OK", "2",
			"!ERR Target instance replied with error: BUSYKEY Target key name already exists.",
			"!ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
			"!ERR value is not an integer or out of range",
		)
		if got := target.Text(t, "GET", k); got != "v" {
			t.Errorf("the target holds %q", got)
		}
		// Without any key at all.
		e.want(t, e.batch(migrate(port, "", "0", "1000", "KEYS")), "NOKEY")
	})
}

// Keys in two slots are the server's to refuse, in place; a transaction is refused before.
func TestAcceptance043_MigrateAcrossSlots(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		a, b := e.nodes.TwoKeys(t, e.nodes.Primaries()[0], e.tag)
		migrate := cmd("MIGRATE", "127.0.0.1", "1", "", "0", "1000", "KEYS", a, b)
		if e.isAtomic {
			f := e.fail(t, e.batch(cmd("SET", a, "1"), migrate), codes.InvalidArgument)
			f.wantMetadata(t, map[string]string{"index": "1", "slot": strconv.Itoa(int(valkeytest.Slot(b)))})
			e.want(t, pipeline(cmd("EXISTS", a)), "0")
			return
		}
		results := e.must(t, e.batch(cmd("MSET", a, "1", b, "2"), migrate, cmd("MGET", b, a)))
		if got := fmt.Sprint(render(results[0]), " ", render(results[2])); got != `OK ["2" "1"]` {
			t.Errorf("the neighbours are %s", got)
		}
		if got := results[1].GetErrorValue(); got.GetCode() != "CROSSSLOT" {
			t.Errorf("MIGRATE = %s", render(results[1]))
		}
	})
}
