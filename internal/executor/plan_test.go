package executor

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// Three shards of a third of the slots each, a replica for every primary.
var threeShards = slotmap.NewCluster([]slotmap.Shard{
	{Primary: "p1:1", Replicas: []string{"r1:1"}, Ranges: []slotmap.Range{{First: 0, Last: 5460}}},
	{Primary: "p2:1", Replicas: []string{"r2:1"}, Ranges: []slotmap.Range{{First: 5461, Last: 10922}}},
	{Primary: "p3:1", Replicas: []string{"r3:1"}, Ranges: []slotmap.Range{{First: 10923, Last: 16383}}},
})

// cmds makes commands of lines of words.
func cmds(lines ...string) [][][]byte {
	var out [][][]byte
	for _, line := range lines {
		var args [][]byte
		for _, word := range strings.Fields(line) {
			args = append(args, []byte(word))
		}
		out = append(out, args)
	}
	return out
}

// itemsOf is what prepare finds out without a deployment to ask.
func itemsOf(commands [][][]byte) []item {
	items := make([]item, len(commands))
	for i, args := range commands {
		it := &items[i]
		it.slot, it.otherSlot = keyless, keyless
		if info, ok := command.Builtin().Lookup(args); ok {
			it.info = info
			it.locate(args, nil)
			it.splits = it.otherSlot != keyless && info.Request == command.MultiShard
		}
	}
	return items
}

// planned is what a plan comes to, in words: by node, the index and arguments of each command sent.
func planned(t *testing.T, topo *slotmap.Topology, rt route, lines ...string) map[string][]string {
	t.Helper()
	commands := cmds(lines...)
	p, at, err := planPipeline(nil, commands, itemsOf(commands), topo, rt.given())
	if err != nil {
		t.Fatalf("planPipeline: command %d: %v", at, err)
	}
	groups, lost := new(assigner).assign(&p, topo, rt, 0, time.Now())
	if len(lost) > 0 {
		t.Fatalf("assign left parts %v without a node", lost)
	}
	got := make(map[string][]string)
	for _, g := range groups {
		for _, i := range g.parts {
			var words []string
			for _, arg := range p.parts[i].args {
				words = append(words, string(arg))
			}
			got[groupName(g)] = append(got[groupName(g)], strings.Join(words, " "))
		}
	}
	return got
}

func TestPlan(t *testing.T) {
	// Slots: a 15495, b 3300, c 7365, d 11298, foo 12182, bar 5061.
	tests := []struct {
		name  string
		topo  *slotmap.Topology
		route options.Route
		lines []string
		want  map[string][]string
	}{
		{
			name:  "each key to its owner, in order",
			lines: []string{"SET a 1", "SET b 1", "GET a", "SET c 1", "GET b"},
			want: map[string][]string{
				"p1:1": {"SET b 1", "GET b"},
				"p2:1": {"SET c 1"},
				"p3:1": {"SET a 1", "GET a"},
			},
		},
		{
			name:  "multi-shard commands are split by slot",
			lines: []string{"MGET a b d a", "MSET a 1 b 2 {a}x 3", "DEL a b"},
			want: map[string][]string{
				"p1:1": {"MGET b", "MSET b 2", "DEL b"},
				"p3:1": {"MGET a a", "MGET d", "MSET a 1 {a}x 3", "DEL a"},
			},
		},
		{
			name:  "a multi-shard command of one slot stays whole",
			lines: []string{"MGET {a}1 {a}2"},
			want:  map[string][]string{"p3:1": {"MGET {a}1 {a}2"}},
		},
		{
			name:  "JSON.MGET keeps its path on every part",
			lines: []string{"JSON.MGET a b $.x"},
			want:  map[string][]string{"p1:1": {"JSON.MGET b $.x"}, "p3:1": {"JSON.MGET a $.x"}},
		},
		{
			name:  "commands of several keys without a split rule go to the first key's owner",
			lines: []string{"RENAME a b", "SINTER b a", "BITOP AND c a b"},
			want: map[string][]string{
				"p1:1": {"SINTER b a"},
				"p2:1": {"BITOP AND c a b"},
				"p3:1": {"RENAME a b"},
			},
		},
		{
			name:  "all shards",
			lines: []string{"DBSIZE", "PING"},
			want: map[string][]string{
				"p1:1": {"DBSIZE", "PING"}, "p2:1": {"DBSIZE", "PING"}, "p3:1": {"DBSIZE", "PING"},
			},
		},
		{
			name:  "all nodes",
			lines: []string{"SCRIPT FLUSH"},
			want: map[string][]string{
				"p1:1": {"SCRIPT FLUSH"}, "p2:1": {"SCRIPT FLUSH"}, "p3:1": {"SCRIPT FLUSH"},
				"r1:1": {"SCRIPT FLUSH"}, "r2:1": {"SCRIPT FLUSH"}, "r3:1": {"SCRIPT FLUSH"},
			},
		},
		{
			name:  "commands for any primary join one that the batch goes to anyway",
			lines: []string{"PUBLISH ch m", "TIME", "GET c", "EVAL x 0"},
			want:  map[string][]string{"p2:1": {"PUBLISH ch m", "TIME", "GET c", "EVAL x 0"}},
		},
		{
			name:  "SPUBLISH goes to its channel's slot",
			lines: []string{"SPUBLISH a m", "SPUBLISH b m"},
			want:  map[string][]string{"p1:1": {"SPUBLISH b m"}, "p3:1": {"SPUBLISH a m"}},
		},
		{
			name:  "slots named by number",
			lines: []string{"CLUSTER COUNTKEYSINSLOT 6000"},
			want:  map[string][]string{"p2:1": {"CLUSTER COUNTKEYSINSLOT 6000"}},
		},
		{
			name:  "malformed commands are left to a node to word",
			lines: []string{"GET a", "MSET a 1 b", "EVAL x many"},
			want:  map[string][]string{"p3:1": {"GET a", "MSET a 1 b", "EVAL x many"}},
		},
		{
			name:  "a route takes the batch unsplit",
			route: options.Route{Kind: options.RouteAddress, Addr: "p2:1"},
			lines: []string{"MGET a b", "DBSIZE", "SCAN 0"},
			want:  map[string][]string{"p2:1": {"MGET a b", "DBSIZE", "SCAN 0"}},
		},
		{
			name:  "a replica route reads from the replica",
			route: options.Route{Kind: options.RouteSlot, Slot: 0, Replica: true},
			lines: []string{"GET b"},
			want:  map[string][]string{"r1:1 replica": {"GET b"}},
		},
		{
			name:  "a replica named by its address as well",
			route: options.Route{Kind: options.RouteAddress, Addr: "r3:1"},
			lines: []string{"GET a"},
			want:  map[string][]string{"r3:1 replica": {"GET a"}},
		},
		{
			name:  "standalone: everything to the one node, unsplit",
			topo:  slotmap.Standalone("s:1"),
			lines: []string{"MGET a b", "DBSIZE", "SCAN 0"},
			want:  map[string][]string{"s:1": {"MGET a b", "DBSIZE", "SCAN 0"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			topo := tt.topo
			if topo == nil {
				topo = threeShards
			}
			got := planned(t, topo, route{Route: tt.route}, tt.lines...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanNeedsRoute(t *testing.T) {
	commands := cmds("GET a", "SCAN 0")
	_, at, err := planPipeline(nil, commands, itemsOf(commands), threeShards, false)
	if err != errNeedsRoute || at != 1 {
		t.Errorf("planPipeline = command %d, %v, want command 1, %v", at, err, errNeedsRoute)
	}
}

func TestPlanUnservedSlot(t *testing.T) {
	topo := slotmap.NewCluster([]slotmap.Shard{{Primary: "p1:1", Ranges: []slotmap.Range{{First: 0, Last: 100}}}})
	got := planned(t, topo, route{}, "GET a")
	if diff := cmp.Diff(map[string][]string{"p1:1": {"GET a"}}, got); diff != "" {
		t.Errorf("a slot that no node serves is left to a primary to word (-want +got):\n%s", diff)
	}
}

func TestAssignFollowsTrouble(t *testing.T) {
	commands := cmds("GET a", "GET b", "DBSIZE", "TIME")
	p, _, err := planPipeline(nil, commands, itemsOf(commands), threeShards, false)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p.parts[0].troubled().to = "p2:1"                               // redirected
	p.parts[1].troubled().due = now.Add(time.Hour)                  // not due
	p.parts[2].finish([]byte(":1\r\n"))                             // DBSIZE of p1 is done
	p.parts[3].troubled().attempts = 1                              // DBSIZE of p2 follows its shard
	moved := threeShards.WithMoved(map[uint16]string{5461: "r2:1"}) // p2's replica was promoted
	groups, lost := new(assigner).assign(&p, moved, route{}, 0, now)
	got := make(map[string][]int32)
	for _, g := range groups {
		got[g.addr] = append(got[g.addr], g.parts...)
	}
	want := map[string][]int32{"p2:1": {0}, "r2:1": {3}, "p3:1": {4, 5}}
	if diff := cmp.Diff(want, got); diff != "" || len(lost) > 0 {
		t.Errorf("assign (-want +got), lost %v:\n%s", lost, diff)
	}
}

func FuzzPlan(f *testing.F) {
	f.Add("MGET a b c\nSET a 1\nDBSIZE\nEVAL x 1 k\nMSET a 1 b")
	f.Add("XREAD STREAMS a b 0 0\nSORT a BY b STORE c\nDEL\nMGET\nPING")
	f.Add("JSON.MGET a b $\nSCAN 0\nSCRIPT FLUSH\nnonsense x")
	f.Fuzz(func(t *testing.T, text string) {
		commands := cmds(strings.Split(text, "\n")...)
		var whole [][][]byte
		for _, args := range commands {
			if len(args) > 0 {
				whole = append(whole, args)
			}
		}
		for _, topo := range []*slotmap.Topology{threeShards, slotmap.Standalone("s:1")} {
			items := itemsOf(whole)
			p, at, err := planPipeline(nil, whole, items, topo, false)
			if err != nil {
				if at < 0 || at >= len(whole) {
					t.Fatalf("error for command %d of %d", at, len(whole))
				}
				continue
			}
			if topo.IsCluster() {
				checkPlan(t, whole, items, &p)
			}
			groups, lost := new(assigner).assign(&p, topo, route{}, 0, time.Now())
			n := len(lost)
			for i := range p.parts {
				if p.parts[i].done {
					n++ // of a command that nobody knows
				}
			}
			for _, g := range groups {
				n += len(g.parts)
			}
			if n != len(p.parts) {
				t.Fatalf("%d of %d parts assigned", n, len(p.parts))
			}
		}
	})
}

// checkPlan holds a plan against what every plan must be: all commands there, in order,
// split ones with each key exactly once and every part within one slot.
func checkPlan(t *testing.T, commands [][][]byte, items []item, p *plan) {
	t.Helper()
	next := 0
	for i := 0; i < len(p.parts); {
		if int(p.parts[i].cmd) != next {
			t.Fatalf("part %d is of command %d, want %d", i, p.parts[i].cmd, next)
		}
		n := 1
		if m, ok := p.merges[p.parts[i].cmd]; ok {
			n = m.parts
			if m.order != nil {
				total := 0
				for j := i; j < i+n; j++ {
					keys, err := items[next].info.Keys(p.parts[j].args, nil)
					if err != nil {
						t.Fatalf("command %d: a part has no keys: %v", next, err)
					}
					for _, k := range keys {
						if s := slotmap.Slot(p.parts[j].args[k]); int32(s) != p.parts[j].slot {
							t.Fatalf("command %d: a key of slot %d in a part of slot %d", next, s, p.parts[j].slot)
						}
					}
					total += len(keys)
				}
				if total != len(m.order) {
					t.Fatalf("command %d: %d keys in the parts, %d in the order", next, total, len(m.order))
				}
			}
		}
		i += n
		next++
	}
	if next != len(commands) {
		t.Fatalf("%d of %d commands planned", next, len(commands))
	}
}

// groupName names a group's target.
func groupName(g group) string {
	if g.replica {
		return g.addr + " replica"
	}
	return g.addr
}
