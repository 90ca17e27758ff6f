package valkeytest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/valkeybatch/valkeybatch/internal/leaktest"
)

// shared is what all tests of one process use together; Main ends it.
var shared struct {
	main    atomic.Bool
	server  lazy[*Server]
	cluster lazy[*Cluster]
}

// lazy starts something on first use, once.
type lazy[T any] struct {
	mu      sync.Mutex
	started bool
	value   T
	err     error
}

func (l *lazy[T]) get(start func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started {
		l.value, l.err = start()
		l.started = true
	}
	return l.value, l.err
}

// SharedServer returns the standalone server that all tests of this process share. Tests
// that use it leave its configuration alone, use keys of their own, and end no one else's
// connections. The package's TestMain has to call [Main].
func SharedServer(t testing.TB) *Server {
	t.Helper()
	return getShared(t, &shared.server, func() (*Server, error) { return startServer(nil) })
}

// SharedCluster returns the cluster of three primaries with a replica each that all tests of
// this process share, on the same terms as [SharedServer].
func SharedCluster(t testing.TB) *Cluster {
	t.Helper()
	return getShared(t, &shared.cluster, func() (*Cluster, error) { return startCluster(ClusterOptions{Replicas: 1}) })
}

func getShared[T any](t testing.TB, l *lazy[T], start func() (T, error)) T {
	t.Helper()
	if !shared.main.Load() {
		t.Fatal("valkeytest: the package's TestMain has to call valkeytest.Main, which ends the shared servers")
	}
	v, err := l.get(start)
	if err != nil {
		t.Fatalf("valkeytest: %v", err)
	}
	return v
}

// Main is the whole of a package's TestMain: it runs the tests, ends the shared servers, and
// fails the package when goroutines are left over, or things taken from a
// pool, or connections of the service to the shared servers. It does not return.
func Main(m *testing.M, opts ...goleak.Option) {
	shared.main.Store(true)
	leaktest.Main(endingShared{m}, opts...)
}

// LeakOptions make goleak overlook what the shared servers keep running, for a test that
// looks for leaks itself before Main does.
func LeakOptions() []goleak.Option {
	return []goleak.Option{goleak.IgnoreAnyFunction("github.com/valkeybatch/valkeybatch/internal/valkeytest/local.(*process).run")}
}

type endingShared struct{ m *testing.M }

// Run runs the tests and ends the shared servers.
func (e endingShared) Run() int {
	code := e.m.Run()
	if err := endShared(); err != nil {
		fmt.Fprintln(os.Stderr, "valkeytest: ending the shared servers:", err)
		return max(code, 1)
	}
	return code
}

func endShared() error {
	var errs []error
	if s := shared.server.value; s != nil {
		errs = append(errs, connectionsLeft(s.node.Server), s.node.Close())
	}
	if c := shared.cluster.value; c != nil {
		for _, s := range c.nodes {
			errs = append(errs, connectionsLeft(s.node.Server))
		}
		errs = append(errs, c.cluster.Close())
	}
	return errors.Join(errs...)
}
