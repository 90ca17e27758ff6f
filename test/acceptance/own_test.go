package acceptance

import (
	"strings"
	"testing"
)

// ownAdminMatrix is adminMatrix on deployments of the test's own, for tests that empty or
// reconfigure them. The cluster has no replicas.
func ownAdminMatrix(t *testing.T, deployments, modes string, test func(t *testing.T, e *env)) {
	t.Helper()
	ownMatrix(t, deployments, []string{"--allow-command", "all"}, func(t *testing.T, e *env) {
		for _, m := range modes {
			t.Run(string(m), func(t *testing.T) {
				cell := *e
				cell.isAtomic, cell.tag = m == 'A', newTag()
				test(t, &cell)
			})
		}
	})
}

// isFannedOut says that the cell is a pipeline on a cluster, where commands without keys go to several nodes.
func (e *env) isFannedOut() bool { return e.isCluster && !e.isAtomic }

// routed gives a batch on a cluster a route to the primary that has the test's keys.
func (e *env) routed(r request) request {
	if e.isCluster {
		return r.route(keyRoute(e.tag, primary))
	}
	return r
}

// wantMatches is want for results of which some are given as "re:" and a regular expression.
// "@" stands for the test's hash tag.
func (e *env) wantMatches(t *testing.T, r request, want ...string) {
	t.Helper()
	got := e.must(t, r)
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for i, v := range got {
		if rendered := render(sorted(v)); !matches(rendered, strings.ReplaceAll(want[i], "@", e.tag)) {
			t.Errorf("%d: %s = %.2000s, want %s", i, r.GetBatch().GetCommands()[i], rendered, want[i])
		}
	}
}
