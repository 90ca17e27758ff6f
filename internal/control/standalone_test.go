package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

func TestStandalone(t *testing.T) {
	for _, binary := range []string{"valkey-server", "redis-server"} {
		t.Run(binary, func(t *testing.T) {
			s := server(t, local.Config{Binary: binary})
			c := client(t, Config{Seeds: []string{s.Addr()}, ClientName: "control"})
			for range 2 {
				topo := topology(t, c)
				if topo.IsCluster() {
					t.Error("not a cluster")
				}
				if diff := cmp.Diff([]string{s.Addr()}, topo.Nodes()); diff != "" {
					t.Error(diff)
				}
				if err := c.Health(within(t)); err != nil {
					t.Error(err)
				}
			}
			if list := must(t, s, "CLIENT", "LIST"); strings.Count(list, "name=control ") != 1 {
				t.Errorf("one connection wanted:\n%s", list)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	s := server(t, local.Config{Password: "secret"})
	must(t, s, "ACL", "SETUSER", "ann", "on", ">annpass", "~*", "+@all")
	for name, config := range map[string]Config{
		"default": {Password: credential.Fixed("secret")}, "named default": {Username: "default", Password: credential.Fixed("secret")}, "user": {Username: "ann", Password: credential.Fixed("annpass")},
	} {
		config.Seeds = []string{s.Addr()}
		c := client(t, config)
		if topo := topology(t, c); topo.IsCluster() {
			t.Errorf("%s: not a cluster", name)
		}
		if err := c.Health(within(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, config := range map[string]Config{"none": {}, "wrong": {Password: credential.Fixed("guess")}, "wrong user": {Username: "bob", Password: credential.Fixed("secret")}} {
		config.Seeds = []string{s.Addr()}
		c := client(t, config)
		_, err := c.Topology(within(t))
		want := "WRONGPASS"
		if name == "none" {
			want = "NOAUTH"
		}
		if n := failure(t, err); !strings.Contains(n.Error(), want) || n.Addr != s.Addr() || strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Health(within(t)); err == nil {
			t.Errorf("%s: healthy", name)
		}
	}
}

// TestRestrictedUser has users who may not run what the control plane would like to.
func TestRestrictedUser(t *testing.T) {
	s := server(t, local.Config{})
	must(t, s, "ACL", "SETUSER", "poor", "on", ">pw", "~*", "+get")
	c := client(t, Config{Seeds: []string{s.Addr()}, Username: "poor", Password: credential.Fixed("pw")})
	if topo := topology(t, c); topo.IsCluster() {
		t.Error("not a cluster")
	}
	if err := c.Health(within(t)); err != nil {
		t.Error(err)
	}
}

func TestUnixSocketAndTLS(t *testing.T) {
	s := server(t, local.Config{UnixSocket: true})
	c := client(t, Config{Seeds: []string{"unix://" + s.SocketPath()}})
	if topo := topology(t, c); topo.Nodes()[0] != "unix://"+s.SocketPath() {
		t.Error(topo.Nodes())
	}

	secure, err := local.NewTLS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s = server(t, local.Config{TLS: secure})
	c = client(t, Config{Seeds: []string{s.Addr()}, TLS: always(secure.Client)})
	topology(t, c)
	if err := c.Health(within(t)); err != nil {
		t.Error(err)
	}
	plain := client(t, Config{Seeds: []string{s.Addr()}, Timeout: time.Second})
	if _, err := plain.Topology(within(t)); err == nil {
		t.Error("plain text to a TLS port")
	}
}

// TestRestart has a server go away and come back, between questions.
func TestRestart(t *testing.T) {
	s := server(t, local.Config{})
	c := client(t, Config{Seeds: []string{s.Addr()}})
	topology(t, c)
	ctx := within(t)
	if err := s.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Topology(ctx); err == nil {
		t.Error("nobody is there")
	}
	if err := c.Health(ctx); err == nil {
		t.Error("nobody is there")
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	topology(t, c)
	// While the connection lies idle: the next question reconnects.
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	topology(t, c)
	if err := c.Health(ctx); err != nil {
		t.Error(err)
	}
}

// TestHanging has a server that accepts and says nothing.
func TestHanging(t *testing.T) {
	s := server(t, local.Config{})
	c := client(t, Config{Seeds: []string{s.Addr()}, Timeout: 300 * time.Millisecond})
	topology(t, c)
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // on the open connection, then on a new one
		start := time.Now()
		_, err := c.Topology(within(t))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := c.Health(within(t)); err == nil {
			t.Error("healthy")
		}
	}
	// The caller's own deadline, and cancellation, count too.
	slow := client(t, Config{Seeds: []string{s.Addr()}, Timeout: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := slow.Topology(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := slow.Topology(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	topology(t, c)
	topology(t, slow)
}

// TestCloseWhileAsking ends a client in the middle of a question.
func TestCloseWhileAsking(t *testing.T) {
	s := server(t, local.Config{})
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	c := New(Config{Seeds: []string{s.Addr()}, Timeout: time.Hour})
	done := make(chan error, 1)
	go func() { _, err := c.Topology(t.Context()); done <- err }()
	time.Sleep(50 * time.Millisecond)
	c.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Topology(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := c.Health(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	c.Close()
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
}

// TestSeveralSeeds prefers a primary, and does without the dead.
func TestSeveralSeeds(t *testing.T) {
	leader := server(t, local.Config{})
	follower := server(t, local.Config{Args: []string{"--replicaof", "127.0.0.1 " + portOf(leader)}})
	c := client(t, Config{Seeds: []string{"127.0.0.1:1", follower.Addr(), leader.Addr()}})
	if got := topology(t, c).Nodes(); got[0] != leader.Addr() {
		t.Errorf("%v", got)
	}
	must(t, follower, "REPLICAOF", "NO", "ONE")
	must(t, leader, "REPLICAOF", "127.0.0.1", portOf(follower))
	if got := topology(t, c).Nodes(); got[0] != follower.Addr() {
		t.Errorf("%v", got)
	}
	none := client(t, Config{Seeds: []string{"", "127.0.0.1:1"}})
	if _, err := none.Topology(within(t)); err == nil {
		t.Error("nobody is there")
	}
	if _, err := client(t, Config{}).Topology(within(t)); err == nil {
		t.Error("nobody can be asked")
	}
}

func portOf(s *local.Server) string {
	_, port, _ := strings.Cut(s.Addr(), ":")
	return port
}

// TestHealthWhileLoading has a server that is loading its data for real.
func TestHealthWhileLoading(t *testing.T) {
	s := server(t, local.Config{Args: []string{"--appendonly", "no", "--key-load-delay", "0"}})
	must(t, s, "DEBUG", "POPULATE", "20000", "key", "10")
	must(t, s, "SAVE")
	if _, err := os.Stat(filepath.Join(s.Dir(), "dump.rdb")); err != nil {
		t.Fatal(err)
	}
	must(t, s, "CONFIG", "SET", "key-load-delay", "1000", "loading-process-events-interval-bytes", "1024")
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		// Answered when the data is loaded, or not at all when the server has ended.
		_, _ = s.Do(ctx, "DEBUG", "RELOAD", "NOSAVE")
	}()
	c := client(t, Config{Seeds: []string{s.Addr()}})
	var last error
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var state *StateError
		if last = c.Health(within(t)); errors.As(last, &state) {
			if !strings.HasPrefix(state.State, "LOADING") {
				t.Errorf("%v", last)
			}
			topology(t, c) // what it is can be told meanwhile
			return
		}
	}
	t.Errorf("never found loading: %v", last)
}
