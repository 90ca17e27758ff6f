package server

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// withUser adds the Valkey user "poor" with the password "one" to a server.
func withUser(t *testing.T, valkey *valkeytest.Server) {
	t.Helper()
	valkey.MustDo(t, "ACL", "SETUSER", "poor", "on", ">one", "+@all", "~*", "&*")
}

// passwordFile makes a file with the password of withUser.
func passwordFile(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// connectionsOf counts a user's connections to a server.
func connectionsOf(t *testing.T, valkey *valkeytest.Server, user string) int {
	t.Helper()
	return strings.Count(valkey.Text(t, "CLIENT", "LIST"), "user="+user+" ")
}

// TestUsersComeAndGo changes the file of identities many times under load, so that each version has
// another Valkey user: no batch fails for it, and neither goroutines nor connections are left.
func TestUsersComeAndGo(t *testing.T) {
	valkey := valkeytest.StartServer(t)
	withUser(t, valkey)
	token, line := auth.NewToken()
	dir := t.TempDir()
	path := filepath.Join(dir, "auth.yaml")
	version := func(n int) {
		t.Helper()
		password := passwordFile(t, filepath.Join(dir, fmt.Sprint("password-", n)))
		rewriteAuth(t, path, "identities:\n  - {name: poor, tokens: ["+line+"], valkey-username: poor, valkey-password-file: "+password+"}\n")
	}
	version(0)
	s, err := New(settings(t, "--valkey="+valkey.Addr(), "--auth-file="+path, "--reload-interval=10ms"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, s, &log{})
	var callers *auth.Callers
	for _, file := range r.backend.files {
		if c, ok := file.(*auth.Callers); ok {
			callers = c
		}
	}
	client := r.client(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	stop := make(chan struct{})
	var load sync.WaitGroup
	defer load.Wait()
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	for i := range 4 {
		load.Add(1)
		go func() {
			defer load.Done()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				req := batch([]string{"INCR", "n"}, []string{"ACL", "WHOAMI"})
				req.Batch.IsAtomic = (n+i)%2 == 0
				answer, err := client.ExecuteBatch(ctx, req)
				if err != nil {
					t.Error(err)
					return
				}
				if answer.GetFailedCount() != 0 || answer.GetResults()[1].GetStringValue() != "poor" {
					t.Errorf("%v", answer)
					return
				}
			}
		}()
	}
	goroutines := 0
	for n := 1; n <= 40; n++ {
		before := callers.Users()
		version(n)
		eventually(t, "the file is taken over", func() bool {
			for u := range callers.Users() {
				return !before[u]
			}
			return false
		})
		if n == 10 {
			goroutines = runtime.NumGoroutine()
		}
	}
	now := runtime.NumGoroutine()
	// Thirty more versions have come and gone, and a pool has at least two goroutines.
	eventually(t, "the goroutines of withdrawn users end", func() bool { now = runtime.NumGoroutine(); return now < goroutines+30 })
	end()
	load.Wait()
	eventually(t, "one user's connections are left", func() bool { return connectionsOf(t, valkey, "poor") <= 8 })
	u := r.backend.users
	eventually(t, "one pool is left", func() bool {
		u.mu.RLock()
		defer u.mu.RUnlock()
		return len(u.pools) <= 1 && len(u.open) == len(u.pools)
	})
	rewriteAuth(t, path, "identities:\n  - {name: poor, tokens: ["+line+"]}\n")
	eventually(t, "no connection is left", func() bool { return connectionsOf(t, valkey, "poor") == 0 })
}

// TestWithdrawnUser follows the connections of batches whose user is withdrawn before they began,
// and while they are carried out.
func TestWithdrawnUser(t *testing.T) {
	dir := t.TempDir()
	password := passwordFile(t, filepath.Join(dir, "password"))
	path := filepath.Join(dir, "auth.yaml")
	token, line := auth.NewToken()
	with := "identities:\n  - {name: poor, tokens: [" + line + "], valkey-username: poor, valkey-password-file: " + password + "}\n"
	without := "identities:\n  - {name: poor, tokens: [" + line + "]}\n"
	rewriteAuth(t, path, with)
	callers, err := auth.Open(path, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	users := newUserPools(node.Config{})
	defer users.close()
	callers.OnChange(func() { users.only(callers.Users()) })
	user := func() *auth.User {
		t.Helper()
		who, err := callers.Identify(metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+token)))
		if err != nil {
			t.Fatal(err)
		}
		return who.User
	}
	old := user()
	during, doneDuring := users.get(old)
	rewriteAuth(t, path, without)
	if !callers.Check() || !old.Withdrawn() || user() != nil {
		t.Fatal("the user is not withdrawn")
	}
	after, doneAfter := users.get(old)
	again, doneAgain := users.get(old)
	if after == during || again == during {
		t.Error("a withdrawn user's pool is given out")
	}
	open := func() int {
		users.mu.RLock()
		defer users.mu.RUnlock()
		return len(users.open)
	}
	if got := open(); got != 3 || len(users.pools) != 0 {
		t.Errorf("%d pools are open, %d users have one, want 3 and none", got, len(users.pools))
	}
	doneAfter()
	doneAgain()
	eventually(t, "the pools of batches that came late are closed", func() bool { return open() == 1 })
	doneDuring()
	eventually(t, "the last batch's pool is closed", func() bool { return open() == 0 })
	// The user that comes back is another.
	rewriteAuth(t, path, with)
	if !callers.Check() || user() == old || user().Withdrawn() {
		t.Fatal("the user is not back")
	}
	first, doneFirst := users.get(user())
	second, doneSecond := users.get(user())
	if first != second {
		t.Error("a user has two pools")
	}
	doneFirst()
	doneSecond()
	if open() != 1 {
		t.Error("a user's pool is closed between its batches")
	}
}

// TestUsersInMetrics checks that the connections of Valkey users count as those to their nodes, also
// when the users are gone.
func TestUsersInMetrics(t *testing.T) {
	valkey := valkeytest.StartServer(t)
	withUser(t, valkey)
	dir := t.TempDir()
	password := passwordFile(t, filepath.Join(dir, "password"))
	path := filepath.Join(dir, "auth.yaml")
	token, line := auth.NewToken()
	other, otherLine := auth.NewToken()
	base := "identities:\n  - {name: other, tokens: [" + otherLine + "]}\n"
	rewriteAuth(t, path, base+"  - {name: poor, tokens: ["+line+"], valkey-username: poor, valkey-password-file: "+password+"}\n")
	r := start(t, settings(t, "--valkey="+valkey.Addr(), "--auth-file="+path, "--admin-listen=127.0.0.1:0", "--reload-interval=10ms"))
	client := r.client(t)
	execute := func(token string, commands ...[]string) {
		t.Helper()
		answer, err := client.ExecuteBatch(as(t, token), batch(commands...))
		if err != nil || answer.GetFailedCount() != 0 {
			t.Fatalf("%v, %v", answer, err)
		}
	}
	node := "node=" + valkey.Addr()
	execute(other, []string{"PING"})
	before := r.scrape(t)
	execute(token, []string{"SET", "k", "v"})
	done := make(chan error, 1)
	go func() {
		_, err := client.ExecuteBatch(as(t, token), batch([]string{"BLPOP", "list", "20"}))
		done <- err
	}()
	eventually(t, "the waiting batch is in flight", func() bool {
		now := r.scrape(t)
		return now.of("valkeybatch_node_in_flight", node, "lane=blocking") == 1 &&
			now.of("valkeybatch_node_connections", node, "lane=blocking", "state=in_use") == 1
	})
	during := r.scrape(t)
	figures{
		"valkeybatch_node_dials_total result=success " + node: 2,
		"valkeybatch_node_connections lane=ordinary " + node:  1,
		"valkeybatch_node_reachable " + node:                  0,
	}.check(t, before, during)
	execute(other, []string{"RPUSH", "list", "x"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	valkey.MustDo(t, "CLIENT", "KILL", "USER", "poor")
	eventually(t, "the lost connections are counted", func() bool {
		return r.scrape(t).of("valkeybatch_node_connections_lost_total", node) == 2
	})
	execute(token, []string{"SET", "k", "v"})
	before = r.scrape(t)
	rewriteAuth(t, path, base)
	eventually(t, "the user's connections are closed", func() bool {
		return r.scrape(t).of("valkeybatch_node_connections", node) == 1 && connectionsOf(t, valkey, "poor") == 0
	})
	figures{
		"valkeybatch_node_dials_total " + node:            0,
		"valkeybatch_node_connections_lost_total " + node: 0,
		"valkeybatch_node_reachable " + node:              0,
	}.check(t, before, r.scrape(t))
}
