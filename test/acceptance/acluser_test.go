package acceptance

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// The ACL user that README.md suggests: the service works with it, and scripts cannot do
// what the policy refuses.
func TestSuggestedACLUser(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "`ACL SETUSER ")
	rule, _, ended := strings.Cut(rest, "`")
	if !found || !ended {
		t.Fatal("README.md suggests no ACL user")
	}
	setUser := append([]string{"ACL", "SETUSER"}, strings.Fields(rule)...)

	t.Run("S", func(t *testing.T) {
		node := valkeytest.StartServer(t)
		node.MustDo(t, setUser...)
		checkACLUser(t, serve(t, []string{node.Addr()}, "--valkey-username", "valkeybatch", "--valkey-password", "secret"))
	})
	t.Run("C", func(t *testing.T) {
		nodes := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
		for _, n := range nodes.Nodes() {
			n.MustDo(t, setUser...)
		}
		checkACLUser(t, serve(t, nodes.Seeds(), "--valkey-username", "valkeybatch", "--valkey-password", "secret"))
	})
}

func checkACLUser(t *testing.T, s *service) {
	t.Helper()
	s.want(t, pipeline(cmd("MSET", "a", "1", "b", "2", "c", "3"), cmd("MGET", "a", "b", "c"), cmd("DBSIZE")), "OK", `["1" "2" "3"]`, "3")
	s.want(t, atomicBatch(cmd("SET", "{k}", "v"), cmd("GET", "{k}")), "OK", `"v"`)
	s.want(t, pipeline(cmd("EVAL", "return redis.call('get', KEYS[1])", "1", "{k}")), `"v"`)
	for _, script := range []string{"return redis.call('flushall')", "return redis.call('cluster', 'meet', '127.0.0.1', '1')"} {
		s.fail(t, pipeline(cmd("EVAL", script, "0")).raise(), codes.FailedPrecondition)
	}
	s.want(t, pipeline(cmd("MGET", "a", "b", "c")), `["1" "2" "3"]`)
}
