package acceptance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// unasked makes the server read the topology only when a reply gives it a reason to, so that
// a change of the deployment finds it with an old map.
var unasked = []string{"--topology-refresh", "1h"}

// timed sets the timeout and the retry strategy of a request on a cluster.
func (r request) timed(d time.Duration, serverError, connectionError bool) request {
	r = r.retry(true, serverError, connectionError)
	r.cluster().Timeout = durationpb.New(d)
	return r
}

// wantError checks a result's error: its code, what it says of effects, and its node where
// one is given.
func wantError(t testing.TB, v *valkeybatchv1.Value, code string, outcome valkeybatchv1.Outcome, node string) {
	t.Helper()
	e := v.GetErrorValue()
	switch {
	case e == nil:
		t.Errorf("the result is %s, want an error %s", render(v), code)
	case e.GetCode() != code || e.GetOutcome() != outcome || (node != "" && e.GetNode() != node):
		t.Errorf("the error is %s %v of %s (%s), want %s %v of %s", e.GetCode(), e.GetOutcome(), e.GetNode(), e.GetMessage(), code, outcome, node)
	}
}

const (
	notExecuted = valkeybatchv1.Outcome_OUTCOME_NOT_EXECUTED
	ran         = valkeybatchv1.Outcome_OUTCOME_FAILED
	unknown     = valkeybatchv1.Outcome_OUTCOME_UNKNOWN
)

// script is a cluster of scripted nodes, for what no real one can be brought to say. The
// nodes share the slots evenly, in order, and agree on that; what they say to commands on
// data is the test's.
type script struct {
	nodes []*valkeytest.Scripted
	// owners holds the index of the node that each of len(nodes) equal ranges is said to be served by.
	owners atomic.Pointer[[]int]
	asked  atomic.Int64 // topology questions
	stall  atomic.Bool  // they are not answered
}

// startScript starts a scripted cluster. handle answers commands on data and may leave it,
// with nil, to the defaults of [valkeytest.Handler].
func startScript(t testing.TB, nodes int, handle func(s *script, node, conn int, args []string) []byte) *script {
	t.Helper()
	s := &script{}
	owners := make([]int, nodes)
	for i := range owners {
		owners[i] = i
	}
	s.owners.Store(&owners)
	ready := make(chan struct{})
	for i := range nodes {
		s.nodes = append(s.nodes, valkeytest.StartScripted(t, func(conn int, args []string) []byte {
			<-ready // until all addresses are known
			if b := s.control(i, args); b != nil {
				return b
			}
			return handle(s, i, conn, args)
		}))
	}
	close(ready)
	return s
}

// seeds are the addresses of all nodes.
func (s *script) seeds() []string {
	var addrs []string
	for _, n := range s.nodes {
		addrs = append(addrs, n.Addr())
	}
	return addrs
}

// slot is the lowest slot of the i-th range.
func (s *script) slot(i int) uint16 { return uint16(i * valkeytest.Slots / len(s.nodes)) }

// key is a key in the i-th range.
func (s *script) key(i int, suffix string) string { return valkeytest.KeyIn(s.slot(i), suffix) }

// control answers what the server asks of its own accord.
func (s *script) control(node int, args []string) []byte {
	switch name := strings.ToUpper(args[0]); name {
	case "HELLO":
		b := resp.AppendMapHeader(nil, 4)
		for _, word := range []string{"server", "valkey", "version", "8.0.1", "mode", "cluster", "role", "master"} {
			b = resp.AppendBulk(b, []byte(word))
		}
		return b
	case "CLUSTER":
		if s.stall.Load() {
			return valkeytest.NoReply
		}
		switch strings.ToUpper(args[1]) {
		case "MYID":
			return resp.AppendBulk(nil, []byte(nodeID(node)))
		case "INFO":
			return resp.AppendBulk(nil, []byte("cluster_state:ok\r\ncluster_current_epoch:1\r\n"))
		case "SLOTS":
			s.asked.Add(1)
			return s.slots()
		}
		return resp.AppendError(nil, "ERR unknown subcommand")
	case "INFO":
		return resp.AppendBulk(nil, []byte("cluster_enabled:1\r\nrole:master\r\n"))
	case "COMMAND":
		return resp.AppendError(nil, "ERR unknown command 'COMMAND'")
	}
	return nil
}

func nodeID(node int) string { return fmt.Sprintf("%040x", node+1) }

// slots is the reply to CLUSTER SLOTS.
func (s *script) slots() []byte {
	owners := *s.owners.Load()
	b := resp.AppendArrayHeader(nil, len(owners))
	for i, owner := range owners {
		first, last := i*valkeytest.Slots/len(owners), (i+1)*valkeytest.Slots/len(owners)-1
		host, port, _ := strings.Cut(s.nodes[owner].Addr(), ":")
		number, _ := strconv.Atoi(port)
		b = resp.AppendArrayHeader(b, 3)
		b = resp.AppendInteger(b, int64(first))
		b = resp.AppendInteger(b, int64(last))
		b = resp.AppendArrayHeader(b, 4)
		b = resp.AppendBulk(b, []byte(host))
		b = resp.AppendInteger(b, int64(number))
		b = resp.AppendBulk(b, []byte(nodeID(owner)))
		b = resp.AppendArrayHeader(b, 0)
	}
	return b
}

// redirectTo words a redirect to the i-th node for a key's slot.
func (s *script) redirectTo(kind, key string, node int) []byte {
	return resp.AppendError(nil, fmt.Sprintf("%s %d %s", kind, valkeytest.Slot(key), s.nodes[node].Addr()))
}

// count is how often a node read a command with exactly these arguments.
func countExactly(n *valkeytest.Scripted, args ...string) (count int) {
	for _, r := range n.Received() {
		if strings.Join(r.Args, " ") == strings.Join(args, " ") {
			count++
		}
	}
	return count
}

// letters are commands that push a to z onto a list, one by one.
func letters(key string) (pushes []*valkeybatchv1.Command) {
	for c := 'a'; c <= 'z'; c++ {
		pushes = append(pushes, cmd("RPUSH", key, string(c)))
	}
	return pushes
}

// alphabet is a list of a to z, rendered.
func alphabet() string {
	var words []string
	for c := 'a'; c <= 'z'; c++ {
		words = append(words, strconv.Quote(string(c)))
	}
	return "[" + strings.Join(words, " ") + "]"
}

// errNotYet is for what a test waits for.
var errNotYet = errors.New("not yet")
