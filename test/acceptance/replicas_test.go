package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// The contract has no read_from yet: replica routes are how callers read from replicas.

func TestAcceptance085_ReplicaRouteReadsFromReplicas(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		for _, node := range e.nodes.Primaries() {
			key := e.nodes.KeyFor(t, node, e.tag)
			e.must(t, pipeline(cmd("SET", key, "v")))
			second := e.nodes.Replicas(node)[0]
			awaitValue(t, second, key, "v")
			w := watchEnv(t, e)
			var commands []*valkeybatchv1.Command
			var want []string
			for range 15 {
				commands, want = append(commands, cmd("GET", key)), append(want, `"v"`)
			}
			e.want(t, e.batch(commands...).route(keyRoute(key, replica)), want...)
			if got := w.ran(t, second, "get"); got != 15 {
				t.Errorf("the replica was sent %d of 15 GET", got)
			}
			if got := w.total(t, "get"); got != 15 {
				t.Errorf("all nodes were sent %d GET", got)
			}
			if got := w.errors(t, "MOVED"); got != 0 {
				t.Errorf("%d MOVED", got)
			}
		}
	})
}

// awaitValue waits until a replica has a key's value.
func awaitValue(t testing.TB, node *valkeytest.Server, key, want string) {
	t.Helper()
	conn := node.Dial(t)
	defer conn.Close()
	conn.Do(t, "READONLY")
	valkeytest.Eventually(t, "replication of "+key, func() error {
		if got := string(conn.Do(t, "GET", key)); !strings.Contains(got, want) {
			return fmt.Errorf("the replica has %q", got)
		}
		return nil
	})
}

func TestAcceptance086_087_ManyReplicas(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Primaries: 1, Replicas: 3})
	only := c.Primaries()[0]
	replicas := c.Replicas(only)
	zones := map[*valkeytest.Server]string{only: "zone-b", replicas[0]: "zone-a", replicas[1]: "zone-b", replicas[2]: "zone-a"}
	for n, zone := range zones {
		n.MustDo(t, "CONFIG", "SET", "availability-zone", zone)
	}
	key := valkeytest.KeyIn(11)
	only.MustDo(t, "SET", key, "v")
	for _, n := range replicas {
		awaitValue(t, n, key, "v")
	}
	// reads sends 15 batches and returns what the primary and each replica were sent.
	reads := func(t *testing.T, s *service, make func(...*valkeybatchv1.Command) request, to *valkeybatchv1.Route) []int {
		t.Helper()
		w := watchNodes(t, c.Nodes()...)
		for range 15 {
			s.want(t, make(cmd("GET", key)).route(to), `"v"`)
		}
		var got []int
		for _, n := range append([]*valkeytest.Server{only}, replicas...) {
			got = append(got, w.ran(t, n, "get"))
		}
		return got
	}
	for _, tc := range []struct {
		name, zone string
		want       []int
	}{
		{"086 in turn", "", []int{0, 5, 5, 5}},
		{"087 the one of the zone", "zone-b", []int{0, 0, 15, 0}},
		{"087 those of the zone in turn", "zone-a", nil},
		{"087 none of the zone", "zone-c", []int{0, 5, 5, 5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, c.Seeds(), "--availability-zone", tc.zone)
			for _, make := range []func(...*valkeybatchv1.Command) request{pipeline, atomicBatch} {
				for _, to := range []*valkeybatchv1.Route{keyRoute(key, replica), slotRoute(11, replica)} {
					got := reads(t, s, make, to)
					if tc.want != nil {
						if diff := cmp.Diff(tc.want, got); diff != "" {
							t.Errorf("GET by node, the primary first (-want +got):\n%s", diff)
						}
						continue
					}
					// An odd number over two: 8 and 7.
					if got[0]+got[2] != 0 || got[1]+got[3] != 15 || max(got[1], got[3]) != 8 {
						t.Errorf("GET by node, the primary first: %v, want 15 shared by the first and the third replica", got)
					}
				}
			}
		})
	}
	t.Run("087 another one when the zone's is gone", func(t *testing.T) {
		s := serve(t, c.Seeds(), "--availability-zone", "zone-b")
		s.want(t, pipeline(cmd("GET", key)).route(keyRoute(key, replica)), `"v"`)
		replicas[1].Kill(t)
		for range 5 {
			s.want(t, pipeline(cmd("GET", key), cmd("STRLEN", key)).route(keyRoute(key, replica)).retry(true, false, true), `"v"`, "1")
			s.want(t, atomicBatch(cmd("GET", key)).route(keyRoute(key, replica)), `"v"`)
		}
	})
}

func TestAcceptance111_WritesWithoutKeysNeverMeetAReplica(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		name := "lib_" + strings.Trim(e.tag, "{}") + "_" + map[bool]string{true: "a", false: "p"}[e.isAtomic]
		library := fmt.Sprintf("#!lua name=%s\nserver.register_function('f_%s', function(keys, args) return 1 end)", name, name)
		script := "return 'script of " + name + "'"
		w := watchEnv(t, e)
		const rounds = 9
		for range rounds {
			values := e.must(t, e.batch(
				cmd("FUNCTION", "LOAD", "REPLACE", library),
				cmd("SCRIPT", "LOAD", script),
				cmd("EVAL", script, "0"),
				cmd("FUNCTION", "DELETE", name),
			))
			if got := render(values[0]); got != `"`+name+`"` {
				t.Errorf("FUNCTION LOAD: %s", got)
			}
			if got := render(values[1]); len(got) != 42 {
				t.Errorf("SCRIPT LOAD: %s", got)
			}
			if got := render(values[2]); got != `"script of `+name+`"` {
				t.Errorf("EVAL: %s", got)
			}
			if got := render(values[3]); got != "OK" {
				t.Errorf("FUNCTION DELETE: %s", got)
			}
		}
		if got := w.errors(t, "READONLY"); got != 0 {
			t.Errorf("%d READONLY", got)
		}
		onPrimaries := 0
		for _, n := range e.nodes.Primaries() {
			onPrimaries += w.ran(t, n, "eval")
		}
		if onPrimaries != rounds || w.total(t, "eval") != rounds {
			t.Errorf("of %d EVAL %d ran on primaries, %d in all", rounds, onPrimaries, w.total(t, "eval"))
		}
	})
}

func TestAcceptance112_APipelineReadsWhatItHasWritten(t *testing.T) {
	c := valkeytest.SharedCluster(t)
	for _, flags := range [][]string{nil, {"--availability-zone", "zone-a"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			s := serve(t, c.Seeds(), flags...)
			w := watchNodes(t, c.Replicas(nil)...)
			tag := strings.Trim(newTag(), "{}")
			for round := range 100 {
				var commands []*valkeybatchv1.Command
				var want []string
				for i := range 10 {
					key, value := fmt.Sprintf("%s-%d", tag, i), fmt.Sprintf("%d-%d", round, i)
					commands = append(commands, cmd("SET", key, value), cmd("GET", key), cmd("MGET", key, key))
					want = append(want, "OK", `"`+value+`"`, fmt.Sprintf("[%q %q]", value, value))
				}
				s.want(t, pipeline(commands...), want...)
			}
			if got := w.total(t, "get") + w.total(t, "mget"); got != 0 {
				t.Errorf("replicas were sent %d reads", got)
			}
		})
	}
}
