package acceptance

import (
	"fmt"
	"sync/atomic"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// env is one cell of the matrix that a test runs in: a kind of deployment and a mode.
type env struct {
	*service
	// isCluster and isAtomic say which cell it is.
	isCluster, isAtomic bool
	// server is the standalone server, nil on a cluster.
	server *valkeytest.Server
	// nodes is the cluster, nil on a standalone server.
	nodes *valkeytest.Cluster
	// tag is a hash tag of this test's own: keys that begin with it share a slot, and no
	// other test uses them.
	tag string
}

// batch makes a request in the cell's mode.
func (e *env) batch(commands ...*valkeybatchv1.Command) request {
	if e.isAtomic {
		return atomicBatch(commands...)
	}
	return pipeline(commands...)
}

// k returns a key of this test's own.
func (e *env) k(name string) string { return e.tag + name }

var tags atomic.Int64

// newTag returns a hash tag that no other test of the process uses.
func newTag() string { return fmt.Sprintf("{t%d}", tags.Add(1)) }

// matrix runs a test in every cell: deployments is of the letters S and C, modes of A and P.
// The servers behind are shared by all tests, so that tests leave the deployments'
// configuration as it is and use keys of their own.
func matrix(t *testing.T, deployments, modes string, test func(t *testing.T, e *env)) {
	t.Helper()
	runMatrix(t, deployments, modes, nil, test)
}

// adminMatrix is matrix with every command allowed by the operator's policy.
func adminMatrix(t *testing.T, deployments, modes string, test func(t *testing.T, e *env)) {
	t.Helper()
	runMatrix(t, deployments, modes, []string{"--allow-command", "all"}, test)
}

func runMatrix(t *testing.T, deployments, modes string, flags []string, test func(t *testing.T, e *env)) {
	t.Helper()
	for _, d := range deployments {
		t.Run(string(d), func(t *testing.T) {
			e := &env{isCluster: d == 'C'}
			if e.isCluster {
				e.nodes = valkeytest.SharedCluster(t)
				e.service = serve(t, e.nodes.Seeds(), flags...)
			} else {
				e.server = valkeytest.SharedServer(t)
				e.service = serve(t, []string{e.server.Addr()}, flags...)
			}
			for _, m := range modes {
				t.Run(string(m), func(t *testing.T) {
					cell := *e
					cell.isAtomic, cell.tag = m == 'A', newTag()
					test(t, &cell)
				})
			}
		})
	}
}
