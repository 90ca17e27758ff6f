package acceptance

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// ownQuestions are the commands that a service asks the deployment of its own accord, and
// that nodes of a cluster send each other. What callers send is looked for among the rest.
var ownQuestions = []string{"hello", "ping", "info", "cluster|", "command", "replconf", "psync"}

// watch knows what each of some nodes had been sent when it was made.
type watch struct {
	nodes  []*valkeytest.Server
	before []traffic
}

// traffic is what a node counted: the calls by command, those included that it refused, and
// the errors by code.
type traffic struct{ commands, errors map[string]int }

// watchNodes begins to watch nodes.
func watchNodes(t testing.TB, nodes ...*valkeytest.Server) *watch {
	t.Helper()
	w := &watch{nodes: nodes}
	for _, n := range nodes {
		w.before = append(w.before, trafficOf(t, n))
	}
	return w
}

// watchEnv watches all nodes of the cell's deployment.
func watchEnv(t testing.TB, e *env) *watch {
	t.Helper()
	if e.isCluster {
		return watchNodes(t, e.nodes.Nodes()...)
	}
	return watchNodes(t, e.server)
}

// trafficOf reads a node's counters.
func trafficOf(t testing.TB, node *valkeytest.Server) traffic {
	t.Helper()
	out := traffic{commands: map[string]int{}, errors: map[string]int{}}
	for line := range strings.Lines(node.Text(t, "INFO", "commandstats", "errorstats")) {
		name, figures, _ := strings.Cut(strings.TrimSpace(line), ":")
		if command, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			out.commands[command] = figure(figures, "calls") + figure(figures, "rejected_calls")
		} else if code, ok := strings.CutPrefix(name, "errorstat_"); ok {
			out.errors[code] = figure(figures, "count")
		}
	}
	return out
}

// figure reads one of "calls=1,usec=2".
func figure(figures, name string) int {
	for part := range strings.SplitSeq(figures, ",") {
		if value, ok := strings.CutPrefix(part, name+"="); ok {
			n, _ := strconv.Atoi(value)
			return n
		}
	}
	return 0
}

// since returns what has come since the watch began, by command and by error code, the
// service's own questions left out.
func (w *watch) since(t testing.TB, node *valkeytest.Server) traffic {
	t.Helper()
	now := trafficOf(t, node)
	before := w.before[slices.Index(w.nodes, node)]
	for name := range now.commands {
		own := slices.ContainsFunc(ownQuestions, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if now.commands[name] -= before.commands[name]; own || now.commands[name] == 0 {
			delete(now.commands, name)
		}
	}
	for code := range now.errors {
		if now.errors[code] -= before.errors[code]; now.errors[code] == 0 {
			delete(now.errors, code)
		}
	}
	return now
}

// ran returns how often a node was sent a command since the watch began.
func (w *watch) ran(t testing.TB, node *valkeytest.Server, command string) int {
	t.Helper()
	return w.since(t, node).commands[command]
}

// total returns how often all nodes together were sent a command since the watch began.
func (w *watch) total(t testing.TB, command string) int {
	t.Helper()
	n := 0
	for _, node := range w.nodes {
		n += w.ran(t, node, command)
	}
	return n
}

// errors returns how many errors of a code all nodes gave since the watch began.
func (w *watch) errors(t testing.TB, code string) int {
	t.Helper()
	n := 0
	for _, node := range w.nodes {
		n += w.since(t, node).errors[code]
	}
	return n
}

// nothingSent fails the test when any node was sent a command of a caller.
func (w *watch) nothingSent(t testing.TB) {
	t.Helper()
	w.only(t)
}

// only fails the test when any node was sent other commands of callers than the given ones.
func (w *watch) only(t testing.TB, commands ...string) {
	t.Helper()
	for _, node := range w.nodes {
		got := w.since(t, node)
		for _, c := range commands {
			delete(got.commands, c)
		}
		if len(got.commands) > 0 {
			t.Errorf("%s was sent %v", node.Addr(), got.commands)
		}
		// On a standalone server the service's own questions about the cluster are ERR.
		delete(got.errors, "ERR")
		if len(got.errors) > 0 {
			t.Errorf("%s gave errors %v", node.Addr(), slices.Sorted(maps.Keys(got.errors)))
		}
	}
}
