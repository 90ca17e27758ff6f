package acceptance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// answeredBy returns the port of the node that gave an INFO reply, and its role.
func answeredBy(t testing.TB, v *valkeybatchv1.Value) (port, role string) {
	t.Helper()
	if v.GetVerbatimValue().GetFormat() != "txt" {
		t.Fatalf("INFO answered %s, want a verbatim string", render(v))
	}
	for line := range strings.Lines(string(v.GetVerbatimValue().GetData())) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "tcp_port":
			port = value
		case "role":
			role = value
		}
	}
	return port, role
}

var whoAreYou = cmd("INFO", "server", "replication")

func TestAcceptance075_RandomRouteGivesOneNodesAnswers(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		seen := map[string]bool{}
		for range 12 {
			values := e.must(t, e.batch(whoAreYou, whoAreYou).route(randomRoute()))
			port, role := answeredBy(t, values[0])
			if other, _ := answeredBy(t, values[1]); other != port {
				t.Errorf("the batch was answered by ports %s and %s", port, other)
			}
			if role != "master" {
				t.Errorf("role %s", role)
			}
			seen[port] = true
		}
		if len(seen) != 3 {
			t.Errorf("12 batches went to %d of 3 primaries", len(seen))
		}
	})
}

func TestAcceptance076_RouteToANode(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		for _, node := range e.nodes.Primaries() {
			slot := e.nodes.SlotOf(t, node)
			key := valkeytest.KeyIn(slot)
			second := e.nodes.Replicas(node)[0]
			for name, c := range map[string]struct {
				route *valkeybatchv1.Route
				node  *valkeytest.Server
				role  string
			}{
				"slot id, primary":      {slotRoute(slot, primary), node, "master"},
				"slot id, unspecified":  {slotRoute(slot, 0), node, "master"},
				"slot id, replica":      {slotRoute(slot, replica), second, "slave"},
				"slot key, primary":     {keyRoute(key, primary), node, "master"},
				"slot key, unspecified": {keyRoute(key, 0), node, "master"},
				"slot key, replica":     {keyRoute(key, replica), second, "slave"},
				"binary key, replica": {&valkeybatchv1.Route{Kind: &valkeybatchv1.Route_SlotKey{SlotKey: &valkeybatchv1.SlotKeyRoute{
					Key: []byte(key), SlotType: replica}}}, second, "slave"},
				"address of a primary": {addressRoute("127.0.0.1", node.Port()), node, "master"},
				"address of a replica": {addressRoute("127.0.0.1", second.Port()), second, "slave"},
			} {
				t.Run(name, func(t *testing.T) {
					values := e.must(t, e.batch(whoAreYou, cmd("EXISTS", key)).route(c.route))
					port, role := answeredBy(t, values[0])
					if port != number(c.node.Port()) || role != c.role {
						t.Errorf("answered by port %s, a %s, want %d, a %s", port, role, c.node.Port(), c.role)
					}
					if got := render(values[1]); got != "0" {
						t.Errorf("EXISTS on that node: %s", got)
					}
				})
			}
		}
	})
}

func TestAcceptance077_083_RouteToTheOwner(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		for _, node := range e.nodes.Primaries() {
			w := watchEnv(t, e)
			a, b := e.nodes.TwoKeys(t, node, e.tag)
			e.want(t, e.batch(cmd("SET", a, "1"), cmd("GET", a)).route(keyRoute(a, primary)), "OK", `"1"`)
			if !e.isAtomic { // of an atomic batch all keys share a slot
				e.want(t, e.batch(cmd("SET", a, "1"), cmd("SET", b, "2"), cmd("GET", b), cmd("GET", a)).route(keyRoute(a, primary)),
					"OK", "OK", `"2"`, `"1"`)
			}
			e.want(t, pipeline(cmd("UNLINK", a)), "1")
			for _, n := range e.nodes.Nodes() {
				if got := w.since(t, n).errors; len(got) > 0 {
					t.Errorf("%s gave errors %v", n.Addr(), got)
				}
			}
			for _, n := range e.nodes.Primaries() {
				if got := w.ran(t, n, "get"); n != node && got > 0 {
					t.Errorf("%s is not the owner and was sent %d GET", n.Addr(), got)
				}
			}
		}
	})
}

func TestAcceptance084_WrongRouteIsRedirected(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		nodes := e.nodes.Primaries()
		wrong, right := nodes[0], nodes[1]
		here, there := e.nodes.KeyFor(t, wrong, e.tag), e.nodes.KeyFor(t, right, e.tag)
		w := watchEnv(t, e)
		to := addressRoute("127.0.0.1", wrong.Port())
		if e.isAtomic {
			e.want(t, atomicBatch(cmd("SET", there, "1"), cmd("APPEND", there, "2"), cmd("GET", there)).route(to), "OK", "2", `"12"`)
			if got := w.since(t, wrong).errors["MOVED"]; got != 3 {
				t.Errorf("%d MOVED for a transaction of 3 commands", got)
			}
			if got := w.ran(t, right, "append"); got != 1 {
				t.Errorf("APPEND ran %d times", got)
			}
		} else {
			e.want(t, pipeline(cmd("SET", here, "a"), cmd("SET", there, "b"), cmd("GET", here), cmd("GET", there)).route(to),
				"OK", "OK", `"a"`, `"b"`)
			if got := w.since(t, wrong).errors["MOVED"]; got != 2 {
				t.Errorf("%d MOVED for 2 commands", got)
			}
		}
		if got := w.errors(t, "MOVED") - w.since(t, wrong).errors["MOVED"]; got != 0 {
			t.Errorf("%d MOVED from other nodes than the one asked first", got)
		}
	})
}

// A routed pipeline is not split: what one node cannot do together it says itself.
func TestAcceptance083_RoutedBatchIsNotSplit(t *testing.T) {
	matrix(t, "C", "P", func(t *testing.T, e *env) {
		node := e.nodes.Primaries()[0]
		a, b := e.nodes.TwoKeys(t, node, e.tag)
		r := pipeline(cmd("SET", a, "1"), cmd("MGET", a, b), cmd("DBSIZE"), cmd("GET", a)).route(keyRoute(a, primary))
		values := e.must(t, r)
		wantCommandError(t, values[1], "CROSSSLOT", "CROSSSLOT Keys in request don't hash to the same slot", notExecuted, node.Addr())
		if got := render(values[3]); got != `"1"` {
			t.Errorf("the neighbour answered %s", got)
		}
		if got, want := render(values[2]), node.Text(t, "DBSIZE"); got != want {
			t.Errorf("DBSIZE is %s, the node's own is %s", got, want)
		}
	})
}

func TestAcceptance124_RoutesThatNameNoNode(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	s := serve(t, c.Seeds())
	e := &env{service: s, isCluster: true, nodes: c, tag: newTag()}
	w := watchEnv(t, e)
	stranger := valkeytest.StartServer(t)
	aloof := watchNodes(t, stranger)
	for name, tc := range map[string]struct {
		route         *valkeybatchv1.Route
		field, reason string
		metadata      map[string]string
		says          string
	}{
		"unknown address": {addressRoute("127.0.0.1", stranger.Port()), "cluster_options.route.by_address", "ROUTE_NOT_FOUND",
			map[string]string{"address": stranger.Addr()}, stranger.Addr()},
		"unknown host": {addressRoute("no.such.host", c.Nodes()[0].Port()), "cluster_options.route.by_address", "ROUTE_NOT_FOUND", nil, "no.such.host"},
		"slot too high": {slotRoute(16384, primary), "cluster_options.route.slot_id.slot_id", "INVALID_ROUTE",
			map[string]string{"actual": "16384", "allowed": "16383"}, "16384"},
		"no port": {addressRoute("127.0.0.1", 0), "cluster_options.route.by_address.port", "INVALID_ROUTE", nil, "is required"},
		"no replica": {slotRoute(7, replica), "cluster_options.route", "ROUTE_NOT_FOUND",
			map[string]string{"slot": "7"}, "slot 7 has no replica"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []request{pipeline(cmd("SET", "k", "v")), atomicBatch(cmd("SET", "k", "v"))} {
				f := s.fail(t, r.route(tc.route), codes.InvalidArgument)
				if f.reason != tc.reason || len(f.fields) != 1 || f.fields[0] != tc.field || !strings.Contains(f.message, tc.says) {
					t.Errorf("reason %s, fields %v, message %q", f.reason, f.fields, f.message)
				}
				f.wantMetadata(t, tc.metadata)
			}
		})
	}
	w.nothingSent(t)
	aloof.nothingSent(t)

	t.Run("dead node", func(t *testing.T) {
		dead := c.Primaries()[1]
		key := c.KeyFor(t, dead)
		alive := watchNodes(t, c.Primaries()[0], c.Primaries()[2])
		dead.Kill(t)
		for _, to := range []*valkeybatchv1.Route{addressRoute("127.0.0.1", dead.Port()), keyRoute(key, primary)} {
			for _, r := range []request{pipeline(cmd("SET", key, "v"), cmd("ECHO", "x")), atomicBatch(cmd("SET", key, "v"), cmd("ECHO", "x"))} {
				values := s.must(t, r.route(to))
				for _, v := range values {
					got := v.GetErrorValue()
					if got.GetCode() != "CONNECTION" || got.GetOutcome() != notExecuted || got.GetNode() != dead.Addr() {
						t.Errorf("answered %v, want a CONNECTION error of %s, not executed", v, dead.Addr())
					}
				}
			}
		}
		alive.nothingSent(t)
	})
}
