package acceptance

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// ownMatrix runs a test in front of deployments of its own, a standalone server (S) and a cluster
// of three primaries without replicas (C), so that their counters hold only what the test sends.
func ownMatrix(t *testing.T, deployments string, flags []string, test func(t *testing.T, e *env)) {
	t.Helper()
	for _, d := range deployments {
		t.Run(string(d), func(t *testing.T) {
			e := &env{isCluster: d == 'C', tag: newTag()}
			if e.isCluster {
				e.nodes = valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
				e.service = serve(t, e.nodes.Seeds(), flags...)
			} else {
				e.server = valkeytest.StartServer(t)
				e.service = serve(t, []string{e.server.Addr()}, flags...)
			}
			test(t, e)
		})
	}
}

// again serves the cell's deployment with other flags.
func (e *env) again(t testing.TB, flags ...string) *env {
	t.Helper()
	other := *e
	if e.isCluster {
		other.service = serve(t, e.nodes.Seeds(), flags...)
	} else {
		other.service = serve(t, []string{e.server.Addr()}, flags...)
	}
	return &other
}

// owner returns the node that serves a key.
func (e *env) owner(t testing.TB, key string) *valkeytest.Server {
	t.Helper()
	if e.isCluster {
		return e.nodes.Owner(t, key)
	}
	return e.server
}

// others returns the cluster's nodes without one.
func (e *env) others(without *valkeytest.Server) []*valkeytest.Server {
	var out []*valkeytest.Server
	for _, n := range e.nodes.Nodes() {
		if n != without {
			out = append(out, n)
		}
	}
	return out
}

// wantCommandError fails the test unless the value is an error with exactly these parts.
func wantCommandError(t testing.TB, v *valkeybatchv1.Value, code, message string, outcome valkeybatchv1.Outcome, node string) {
	t.Helper()
	type parts struct{ Code, Message, Outcome, Node string }
	got := v.GetErrorValue()
	if diff := cmp.Diff(
		parts{code, message, outcome.String(), node},
		parts{got.GetCode(), got.GetMessage(), got.GetOutcome().String(), got.GetNode()},
	); diff != "" {
		t.Errorf("error_value (-want +got):\n%s", diff)
	}
}

// wantMetadata fails the test unless the status has these entries in its ErrorInfo.
func (f failure) wantMetadata(t testing.TB, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for key := range want {
		if value, ok := f.metadata[key]; ok {
			got[key] = value
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("metadata of %q (-want +got):\n%s", f.message, diff)
	}
}

// number is strconv.Itoa for slots and figures of any type.
func number[T ~int | ~uint16 | ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }
