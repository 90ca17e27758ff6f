package control

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// scripted is a server that answers with the bytes it is told. What real servers
// answer only in rare moments, or never, comes from here. Replies are by command
// line in capitals; HELLO has a sensible default, all else an error.
func scripted(t *testing.T, replies map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer conn.Close(); serve(conn, replies) })
		}
	})
	return l.Addr().String()
}

func serve(conn net.Conn, replies map[string]string) {
	r := bufio.NewReader(conn)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		line := strings.ToUpper(strings.Join(args, " "))
		reply, ok := replies[line]
		if !ok && args[0] == "HELLO" {
			reply, ok = "%3\r\n+proto\r\n:3\r\n+mode\r\n+cluster\r\n+role\r\n+master\r\n", true
		}
		if !ok {
			reply = "-ERR unknown command\r\n"
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}

func readCommand(r *bufio.Reader) ([]string, error) {
	number := func() (int, error) {
		line, err := r.ReadString('\n')
		if err != nil || len(line) < 3 {
			return 0, io.ErrUnexpectedEOF
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number()
	args := make([]string, n)
	for i := 0; i < n && err == nil; i++ {
		var size int
		if size, err = number(); err == nil {
			b := make([]byte, size+2)
			_, err = io.ReadFull(r, b)
			args[i] = string(b[:size])
		}
	}
	return args, err
}

// resp3 writes a value as RESP3: strings, ints, nil, and []any; map entries are
// in an object.
type object []any

func resp3(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case nil:
		return "_\r\n"
	case string:
		return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v)
	case int:
		return fmt.Sprintf(":%d\r\n", v)
	case []any:
		fmt.Fprintf(&b, "*%d\r\n", len(v))
		for _, e := range v {
			b.WriteString(resp3(e))
		}
	case object:
		fmt.Fprintf(&b, "%%%d\r\n", len(v)/2)
		for _, e := range v {
			b.WriteString(resp3(e))
		}
	default:
		panic(fmt.Sprintf("%T", v))
	}
	return b.String()
}

func slotsNode(endpoint any, port int, id string, meta ...any) []any {
	return []any{endpoint, port, id, object(meta)}
}

func shardsNode(id, endpoint, ip string, port, tlsPort int, role, health string) object {
	o := object{"id", id, "port", port, "ip", ip, "endpoint", endpoint, "role", role, "replication-offset", 1, "health", health}
	if tlsPort != 0 {
		o = append(o, "tls-port", tlsPort)
	}
	return o
}

func TestReplies(t *testing.T) {
	const info = "cluster_state:ok\r\ncluster_current_epoch:7\r\n"
	type want struct {
		Primaries, Nodes, Failed []string
		Replicas                 map[uint16][]string
	}
	for name, c := range map[string]struct {
		slots, shards any
		want          want
	}{
		"endpoints": {
			slots: []any{
				[]any{0, 99, slotsNode(nil, 1001, "a"), slotsNode("?", 1002, "b", "ip", "10.0.0.2"), slotsNode("", 1003, "c")},
				[]any{100, 199, slotsNode("", 1004, "me"), slotsNode("?", 1005, "d")},
				[]any{200, 16383, slotsNode("fd00::1", 1006, "e"), slotsNode("[fd00::2]", 1007, "f"), slotsNode("host.example", 1008, "g")},
			},
			want: want{
				Primaries: []string{"127.0.0.1:1001", "127.0.0.1:1004", "[fd00::1]:1006"},
				Nodes:     []string{"127.0.0.1:1001", "127.0.0.1:1004", "[fd00::1]:1006", "10.0.0.2:1002", "[fd00::2]:1007", "host.example:1008"},
				Replicas:  map[uint16][]string{0: {"10.0.0.2:1002"}, 100: nil, 200: {"[fd00::2]:1007", "host.example:1008"}},
			},
		},
		"what only the shards know": {
			slots: []any{
				[]any{0, 8191, slotsNode("h", 1, "a"), slotsNode("h", 2, "b")},
				[]any{8192, 16383, slotsNode("h", 3, "c")},
			},
			shards: []any{
				object{"slots", []any{0, 8191}, "nodes", []any{
					shardsNode("a", "h", "h", 1, 0, "master", "online"), shardsNode("b", "h", "h", 2, 0, "replica", "online"),
					shardsNode("x", "h", "h", 9, 0, "replica", "failed"), shardsNode("y", "h", "h", 8, 0, "replica", "loading"),
				}},
				object{"slots", []any{8192, 16383}, "nodes", []any{
					shardsNode("z", "h", "h", 7, 0, "master", "fail"), shardsNode("c", "h", "h", 3, 0, "replica", "online"), // Redis 7 after a failover
				}},
				object{"slots", []any{}, "nodes", []any{
					shardsNode("r", "h", "h", 5, 0, "replica", "online"), shardsNode("e", "h", "h", 4, 0, "master", "online"),
				}},
				object{"slots", []any{}, "nodes", []any{shardsNode("d", "h", "h", 6, 0, "master", "fail")}},
				object{"slots", []any{}, "nodes", []any{shardsNode("o", "h", "h", 10, 0, "replica", "fail")}},
			},
			want: want{
				Primaries: []string{"h:1", "h:3", "h:4"},
				Nodes:     []string{"h:1", "h:3", "h:4", "h:6", "h:10", "h:2", "h:5", "h:7", "h:8", "h:9"},
				Failed:    []string{"h:6", "h:10", "h:7", "h:8", "h:9"},
				Replicas:  map[uint16][]string{0: {"h:2"}, 8192: {"h:7"}},
			},
		},
		"an empty primary in the shard of another": {
			slots: []any{[]any{0, 16383, slotsNode("h", 1, "a")}},
			shards: []any{object{"slots", []any{0, 16383}, "nodes", []any{
				shardsNode("e", "h", "h", 2, 0, "master", "online"), shardsNode("a", "h", "h", 1, 0, "master", "online"),
			}}},
			want: want{Primaries: []string{"h:1", "h:2"}, Nodes: []string{"h:1", "h:2"}, Replicas: map[uint16][]string{0: nil}},
		},
		"no slots at all": {
			slots:  []any{},
			shards: []any{object{"slots", []any{}, "nodes", []any{shardsNode("me", "", "", 1, 0, "master", "online")}}},
			want:   want{Primaries: []string{"127.0.0.1:1"}, Nodes: []string{"127.0.0.1:1"}},
		},
		"ports that are none": {
			slots: []any{[]any{0, 16383, slotsNode("h", 0, "a"), slotsNode("h", 5, "b")}, []any{9, 9, slotsNode("h", 70000, "c")}},
			want:  want{},
		},
		"shards alone, TLS ports beside plain ones": {
			shards: []any{object{"slots", []any{0, 16383}, "nodes", []any{
				shardsNode("b", "h", "h", 2, 12, "master", "fail"), shardsNode("a", "h", "h", 1, 11, "master", "online"),
				shardsNode("c", "h", "h", 0, 13, "replica", "online"),
			}}},
			want: want{
				Primaries: []string{"h:1"}, Nodes: []string{"h:1", "h:13", "h:2"}, Failed: []string{"h:2"},
				Replicas: map[uint16][]string{0: {"h:13"}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			replies := map[string]string{"CLUSTER INFO": resp3(info), "CLUSTER MYID": resp3("me")}
			if c.slots != nil {
				replies["CLUSTER SLOTS"] = resp3(c.slots)
			}
			if c.shards != nil {
				replies["CLUSTER SHARDS"] = resp3(c.shards)
			}
			topo := topology(t, client(t, Config{Seeds: []string{scripted(t, replies)}}))
			got := want{Primaries: topo.Primaries(), Nodes: topo.Nodes()}
			for _, n := range topo.Nodes() {
				if topo.Failed(n) {
					got.Failed = append(got.Failed, n)
				}
			}
			if len(got.Nodes) == 0 {
				got.Nodes = nil
			}
			for slot := range c.want.Replicas {
				if got.Replicas == nil {
					got.Replicas = make(map[uint16][]string)
				}
				got.Replicas[slot] = topo.Replicas(slot)
				if len(got.Replicas[slot]) == 0 {
					got.Replicas[slot] = nil
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNonsense has replies that are none: the answer is an error, and the process
// lives.
func TestNonsense(t *testing.T) {
	for name, replies := range map[string]map[string]string{
		"not rows":           {"CLUSTER SLOTS": "*1\r\n+OK\r\n"},
		"short row":          {"CLUSTER SLOTS": "*1\r\n*2\r\n:1\r\n:2\r\n"},
		"slot out of range":  {"CLUSTER SLOTS": resp3([]any{[]any{0, 16384, slotsNode("h", 1, "a")}})},
		"negative slot":      {"CLUSTER SLOTS": resp3([]any{[]any{-1, 5, slotsNode("h", 1, "a")}})},
		"backwards":          {"CLUSTER SLOTS": resp3([]any{[]any{5, 1, slotsNode("h", 1, "a")}})},
		"node is a string":   {"CLUSTER SLOTS": resp3([]any{[]any{0, 1, "h:1"}})},
		"port is a string":   {"CLUSTER SLOTS": resp3([]any{[]any{0, 1, []any{"h", "x", "a"}}})},
		"status":             {"CLUSTER SLOTS": "+OK\r\n"},
		"null":               {"CLUSTER SLOTS": "_\r\n"},
		"shards of strings":  {"CLUSTER SHARDS": "*1\r\n+x\r\n"},
		"shards, odd slots":  {"CLUSTER SHARDS": resp3([]any{object{"slots", []any{1}, "nodes", []any{}}})},
		"shards, no nodes":   {"CLUSTER SHARDS": resp3([]any{object{"slots", []any{}}})},
		"negative length":    {"CLUSTER SLOTS": "*-7\r\n", "CLUSTER MYID": "$-9\r\n"},
		"unknown type":       {"CLUSTER SLOTS": "?what\r\n"},
		"no protocol at all": {"HELLO 3": "HTTP/1.1 400 Bad Request\r\n\r\n"},
		"a sentinel":         {"HELLO 3": "%2\r\n+proto\r\n:3\r\n+mode\r\n+sentinel\r\n"},
		"hello of arrays":    {"HELLO 3": "%1\r\n*0\r\n*0\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, Config{Seeds: []string{scripted(t, replies)}, Timeout: time.Second})
			topo, err := c.Topology(within(t))
			if err == nil {
				t.Errorf("believed: %v", topo.Nodes())
			}
			_ = c.Health(within(t))
		})
	}
}

// TestFreshestView has nodes that see the cluster differently.
func TestFreshestView(t *testing.T) {
	node := func(state string, epoch int, owner string) string {
		return scripted(t, map[string]string{
			"CLUSTER INFO":  resp3(fmt.Sprintf("cluster_state:%s\r\ncluster_current_epoch:%d\r\n", state, epoch)),
			"CLUSTER SLOTS": resp3([]any{[]any{0, 16383, slotsNode(owner, 1, owner)}}),
		})
	}
	mute := func() string {
		return scripted(t, map[string]string{"HELLO 3": ""})
	}
	alone := scripted(t, map[string]string{
		"HELLO 3": "%2\r\n+proto\r\n:3\r\n+mode\r\n+standalone\r\n",
	})
	for name, c := range map[string]struct {
		seeds []string
		want  string
	}{
		"greatest epoch":         {[]string{node("ok", 1, "old"), node("ok", 2, "new"), node("ok", 1, "old")}, "new:1"},
		"well before epoch":      {[]string{node("fail", 9, "cut-off"), node("ok", 2, "new")}, "new:1"},
		"most agree":             {[]string{node("ok", 2, "odd"), node("ok", 2, "same"), node("ok", 2, "same")}, "same:1"},
		"all fail":               {[]string{node("fail", 1, "old"), node("fail", 2, "new")}, "new:1"},
		"cluster and standalone": {[]string{alone, node("ok", 1, "it")}, "it:1"},
		"mute and refusing ones": {[]string{mute(), "127.0.0.1:1", node("ok", 1, "it")}, "it:1"},
		"only the last of many answers": {
			append(slices11(), node("ok", 1, "it")), "it:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := client(t, Config{Seeds: c.seeds, Timeout: 5 * time.Second})
			start := time.Now()
			if got := primary(topology(t, c2), 0); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// slices11 is a lot of addresses nobody listens on.
func slices11() (list []string) {
	for i := range 11 {
		list = append(list, fmt.Sprintf("127.0.0.%d:1", i+1))
	}
	return list
}

var _ slotmap.Source = (*Client)(nil)
