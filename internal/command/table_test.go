package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/command/gen/generator"
	"github.com/valkeybatch/valkeybatch/internal/command/meta"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestLookup(t *testing.T) {
	table := Builtin()
	for line, want := range map[string]string{
		"get k":                   "get",
		"GeT k":                   "get",
		"config set a b":          "config set",
		"CONFIG Set a b":          "config set",
		"CONFIG":                  "config",
		"COMMAND":                 "command",
		"OBJECT encoding k":       "object encoding",
		"json.get k":              "json.get",
		"Client no-evict on":      "client no-evict",
		"XGROUP createconsumer k": "xgroup createconsumer",
		"GET set":                 "get",
	} {
		if got := lookup(t, table, line); got.Name != want {
			t.Errorf("%q is %q, want %q", line, got.Name, want)
		}
	}
	for _, args := range [][][]byte{
		nil,
		{},
		{nil},
		{[]byte("")},
		{[]byte("config set")},
		{[]byte("config|set")},
		{[]byte("get ")},
		{[]byte("ge\xfft")},
		{[]byte(strings.Repeat("g", 65))},
		{[]byte(strings.Repeat("g", 1<<20))},
		{[]byte("get\x00")},
		{[]byte("GET\x00x"), []byte("k")},
		{[]byte("\u212aeys"), []byte("*")},    // the Kelvin sign, which Unicode folds to k
		{[]byte("cl\u0131ent"), []byte("id")}, // a dotless i
		{[]byte("\u017fet"), []byte("k"), []byte("v")}, // a long s
		{[]byte("config"), []byte("nosuch")},           // what holds for CONFIG need not hold for it
		{[]byte("config"), []byte("set\x00n"), []byte("")},
		{[]byte("script"), []byte("debug\x00"), []byte("yes")},
		{[]byte("config"), []byte("")},
		{[]byte("config"), []byte("\u017fet")},
		{[]byte("command"), []byte(strings.Repeat("x", 1000))},
	} {
		if c, ok := table.Lookup(args); ok {
			t.Errorf("%.100q is %q", args, c.Name)
		}
	}
	if _, ok := (&Table{}).Lookup(words("get k")); ok {
		t.Error("an empty table knows GET")
	}
}

// TestUnknown: what a deployment may be asked about a call that is not found.
func TestUnknown(t *testing.T) {
	long := strings.Repeat("x", longestWord)
	for _, tt := range []struct {
		call            []string
		name, container string
	}{
		{},
		{call: []string{""}},
		{call: []string{"NoSuch", "x"}, name: "NoSuch"},
		{call: []string{"mod.new"}, name: "mod.new"},
		{call: []string{long}, name: long},
		{call: []string{long + "x"}},
		{call: []string{strings.Repeat("x", 1<<20)}},
		{call: []string{"get\x00"}},
		{call: []string{"get "}},
		{call: []string{"\u212aeys"}},
		{call: []string{"config|set", "a", "b"}},
		{call: []string{"CONFIG", "NoSuch"}, name: "config|NoSuch", container: "config"},
		{call: []string{"CLIENT", long}, name: "client|" + long, container: "client"},
		{call: []string{"client", long + "x"}, container: "client"},
		{call: []string{"script", "debug\x00", "yes"}, container: "script"},
		{call: []string{"script", ""}, container: "script"},
		{call: []string{"script", "a|b"}, container: "script"},
		{call: []string{"script", "a\x7f"}, container: "script"},
		{call: []string{"script", "\u017fhow"}, container: "script"},
	} {
		var args [][]byte
		for _, word := range tt.call {
			args = append(args, []byte(word))
		}
		if c, ok := Builtin().Lookup(args); ok {
			t.Errorf("%.100q is %q", tt.call, c.Name)
		}
		name, c := Builtin().Unknown(args)
		container := ""
		if c != nil {
			container = c.Name
		}
		if name != tt.name || container != tt.container {
			t.Errorf("%.100q: asks about %.100q of %q, want %q of %q", tt.call, name, container, tt.name, tt.container)
		}
	}
}

// TestCommittedTexts reads what Builtin reads without looking at errors.
func TestCommittedTexts(t *testing.T) {
	names := make(map[string]string)
	for file, text := range map[string]string{"commands.txt": commandsText, "supplement.txt": supplementText} {
		rows, err := meta.ParseText(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(rows) < 50 {
			t.Errorf("%s has only %d commands", file, len(rows))
		}
		for i := range rows {
			r := &rows[i]
			if other, twice := names[r.Name]; twice {
				t.Errorf("%s is in %s and %s: the supplement is for what the server does not know", r.Name, file, other)
			}
			names[r.Name] = file
			if len(r.Name) > longestWord {
				t.Errorf("%s is longer than Lookup takes", r.Name)
			}
			for _, category := range r.Categories {
				if categoryBit(category) == 0 {
					t.Errorf("%s has the category %q, which no policy can name", r.Name, category)
				}
			}
			if strings.ContainsAny(r.Name, "._") && !slices.Contains(r.Flags, "module") && file == "supplement.txt" {
				t.Errorf("%s is a module's command, but does not have the flag", r.Name)
			}
			if container, _, isSub := strings.Cut(r.Name, "|"); isSub {
				if _, ok := Builtin().byName[container]; !ok {
					t.Errorf("%s has no container", r.Name)
				}
			}
		}
	}
	for _, rules := range []map[string]bool{scripted, defaultAllowed} {
		for name := range rules {
			exists(t, name)
		}
	}
	for _, rules := range []map[string]string{defaultDenied, refusals} {
		for name := range rules {
			exists(t, name)
		}
	}
	for name := range overrides {
		exists(t, name)
	}
	for name := range keysByHand {
		exists(t, name)
	}
	for name := range harmlessClient {
		exists(t, "client "+name)
	}
}

// exists fails the test if a rule is for a command that is not in the table.
func exists(t *testing.T, name string) {
	t.Helper()
	if c, ok := Builtin().Lookup(words(name)); !ok || c.Name != name {
		t.Errorf("there is a rule for %q, which is not in the table", name)
	}
}

// TestGeneratedTable holds the committed table against the installed server. One of another
// version makes another table; the committed one then has to be topped up by it.
func TestGeneratedTable(t *testing.T) {
	version, text, err := generator.Generate("valkey-server")
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(commandsText, generator.Header(version)) {
		if diff := cmp.Diff(strings.Split(commandsText, "\n"), strings.Split(text, "\n")); diff != "" {
			t.Errorf("commands.txt is not what the generator makes (-committed +generated); run go generate:\n%s", diff)
		}
	}
	rows, err := meta.ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	topped := Builtin().With(infosOf(rows))
	for i := range rows {
		exists := lookup(t, topped, strings.Replace(rows[i].Name, "|", " ", 1))
		if exists.Arity != rows[i].Arity {
			t.Errorf("%s: arity %d, the server's %d", exists.Name, exists.Arity, rows[i].Arity)
		}
	}
	if got, want := len(topped.All()), len(Builtin().All()); got < want {
		t.Errorf("the topped up table has %d commands, the builtin one %d", got, want)
	}
}

func TestParseCommandReplyOfServer(t *testing.T) {
	server := valkeytest.SharedServer(t)
	infos, err := ParseCommandReply(server.MustDo(t, "COMMAND", "INFO", "mget", "nosuchcommand", "config", "config|set"))
	if err != nil {
		t.Fatal(err)
	}
	if infos[0].Name != "mget" || infos[1].Name != "config" || infos[len(infos)-1].Name != "config set" {
		t.Errorf("%v", infos)
	}
	for _, reply := range []string{"-ERR no\r\n", "+OK\r\n", "*1\r\n:1\r\n", "*1\r\n*1\r\n$3\r\nget\r\n", ""} {
		if infos, err := ParseCommandReply(resp.Frame(reply)); err == nil {
			t.Errorf("%q: %v", reply, infos)
		}
	}
}

// TestTopUpFromRedis tops the table up from a server of another kind and age.
func TestTopUpFromRedis(t *testing.T) {
	server := valkeytest.StartServer(t, valkeytest.Binary("redis-server"))
	infos, err := ParseCommandReply(server.MustDo(t, "COMMAND"))
	if err != nil {
		t.Fatal(err)
	}
	table := Builtin().With(infos)
	for line, want := range map[string]RequestPolicy{"MGET": MultiShard, "DBSIZE": AllShards, "KEYS": AllShards, "SCAN": Special, "PUBSUB NUMSUB": AllNodes} {
		if c := lookup(t, table, line); c.Request != want {
			t.Errorf("%s goes to %v, want %v", line, c.Request, want)
		}
	}
	for _, line := range []string{"MONITOR", "CLIENT REPLY OFF", "CLIENT CAPA redirect"} {
		if _, refused := lookup(t, table, line).Refused(); !refused {
			t.Errorf("%s is not refused", line)
		}
	}
	line := `MIGRATE h 1 "" 0 10 AUTH keys KEYS a b`
	if keys, err := keysOf(lookup(t, table, line), words(line)); err != nil || !cmp.Equal(keys, []string{"a", "b"}) {
		t.Errorf("%s: %q, %v", line, keys, err)
	}
}

// TestWith tops a table up with what a server may say.
func TestWith(t *testing.T) {
	const reply = "*5\r\n" +
		// A command of a module, RESP2, with a key.
		"*10\r\n$7\r\nMOD.GET\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*1\r\n+@read\r\n*0\r\n" +
		"*1\r\n*6\r\n$5\r\nflags\r\n*1\r\n+RO\r\n" +
		"$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n" +
		"$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n" +
		"*0\r\n" +
		// A container of a module, with a subcommand.
		"*10\r\n$3\r\nbox\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n" +
		"*1\r\n*10\r\n$8\r\nbox|open\r\n:2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n" +
		// A newer subcommand of CLIENT, on its own.
		"*10\r\n$12\r\nclient|shout\r\n:2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n" +
		// A command as servers before 7.0 describe it, which the table knows better.
		"*6\r\n$6\r\ndbsize\r\n:1\r\n*1\r\n+readonly\r\n:0\r\n:0\r\n:0\r\n" +
		// And one that the table does not know, whose options may hold keys.
		"*7\r\n$7\r\nmod.old\r\n:-2\r\n*1\r\n+movablekeys\r\n:0\r\n:0\r\n:0\r\n*0\r\n"
	infos, err := ParseCommandReply(resp.Frame(reply))
	if err != nil {
		t.Fatal(err)
	}
	base := Builtin()
	before := len(base.All())
	table := base.With(infos)
	if keys, err := keysOf(lookup(t, table, "mod.get k"), words("mod.get k")); err != nil || !cmp.Equal(keys, []string{"k"}) {
		t.Errorf("mod.get: %q, %v", keys, err)
	}
	if c := lookup(t, table, "BOX OPEN"); c.Name != "box open" {
		t.Errorf("BOX OPEN is %q", c.Name)
	}
	if c := lookup(t, table, "CLIENT ID"); c.Name != "client id" {
		t.Errorf("CLIENT ID is %q", c.Name)
	}
	if _, refused := lookup(t, table, "CLIENT SHOUT").Refused(); !refused {
		t.Error("a subcommand of CLIENT that nobody knows is not refused")
	}
	// What holds for a container holds for subcommands that nobody knew when it was written.
	policy, err := NewPolicy(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	later := base.With([]*Info{infoOf(&meta.Row{Name: "cluster|shout", Arity: 2})})
	if _, denied := policy.Denied(lookup(t, later, "CLUSTER SHOUT")); !denied {
		t.Error("a subcommand of CLUSTER that nobody knows is not denied")
	}
	if c := lookup(t, table, "DBSIZE"); c.Request != AllShards || c.Response != Sum {
		t.Errorf("DBSIZE goes to %v, merged by %v", c.Request, c.Response)
	}
	if !lookup(t, table, "mod.old x").KeysUnknown() {
		t.Error("the keys of mod.old are taken for known")
	}
	if _, ok := base.Lookup(words("mod.get k")); ok || len(base.All()) != before {
		t.Error("topping up changed the table that it began with")
	}
	// A later answer about a single subcommand leaves its siblings.
	again := table.With(infos[3:4]).With([]*Info{nil, {}})
	if len(again.All()) != len(table.All()) {
		t.Errorf("%d commands became %d", len(table.All()), len(again.All()))
	}
}
