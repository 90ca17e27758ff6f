package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestValkeyUsers checks that an identity's batches run as its Valkey user, pipelines and
// transactions, so that Valkey enforces what this server does not look into, such as what a
// script does; on a cluster, and with a password that is exchanged.
func TestValkeyUsers(t *testing.T) {
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Primaries: 2})
	acl := func(rules ...string) {
		t.Helper()
		for _, n := range cluster.Nodes() {
			n.MustDo(t, append([]string{"ACL", "SETUSER", "poor"}, rules...)...)
		}
	}
	acl("on", ">one", "+@all", "~poor*", "&*")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, token := authFile(t, "identities:\n  - {name: poor, tokens: [TOKEN], valkey-username: poor, valkey-password-file: "+password+"}\n")
	rich, line := auth.NewToken()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	both := string(text) + "  - {name: rich, tokens: [" + line + "]}\n"
	rewriteAuth(t, path, both)
	r := start(t, settings(t, "--valkey="+strings.Join(cluster.Seeds(), ","), "--auth-file="+path, "--reload-interval=10ms"))
	client := r.client(t)
	// run returns the code of the last command's error; empty: it has none.
	run := func(token string, atomic bool, commands ...[]string) string {
		t.Helper()
		req := batch(commands...)
		req.Batch.IsAtomic = atomic
		answer, err := client.ExecuteBatch(as(t, token), req)
		if err != nil {
			return infoOf(t, err).GetMetadata()["code"]
		}
		return answer.GetResults()[len(commands)-1].GetErrorValue().GetCode()
	}
	for range 4 { // by turns, so that connections taken for each other would show
		for _, test := range []struct {
			token   string
			command []string
			code    string
		}{
			{token, []string{"SET", "poor{1}", "x"}, ""},
			{rich, []string{"SET", "rich{1}", "x"}, ""},
			{token, []string{"GET", "rich{1}"}, "NOPERM"},
			{rich, []string{"GET", "poor{1}"}, ""},
			{token, []string{"EVAL", "return redis.call('GET', KEYS[1])", "1", "poor{2}"}, ""},
			{token, []string{"EVAL", "return redis.call('GET', KEYS[1])", "1", "rich{2}"}, "NOPERM"},
		} {
			for _, atomic := range []bool{false, true} {
				if code := run(test.token, atomic, test.command); code != test.code {
					t.Errorf("atomic %v: %q: %q, want %q", atomic, test.command, code, test.code)
				}
			}
		}
	}
	acl(">two", "<one")
	if err := os.WriteFile(password, []byte("two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, n := range cluster.Nodes() {
		n.MustDo(t, "CLIENT", "KILL", "USER", "poor")
	}
	eventually(t, "new connections use the new password", func() bool { return run(token, false, []string{"SET", "poor{1}", "y"}) == "" })
	// Without the identity nobody needs the connections.
	rewriteAuth(t, path, "identities:\n  - {name: rich, tokens: ["+line+"]}\n")
	eventually(t, "the user's connections are closed", func() bool {
		for _, n := range cluster.Nodes() {
			if strings.Contains(n.Text(t, "CLIENT", "LIST"), "user=poor") {
				return false
			}
		}
		return true
	})
	if code := run(rich, true, []string{"GET", "poor{1}"}); code != "" {
		t.Error(code)
	}
}

func TestValkeyUserSettings(t *testing.T) {
	for _, args := range [][]string{nil, {"--valkey=127.0.0.1:1"}} {
		path, _ := authFile(t, "identities:\n  - {name: poor, tokens: [TOKEN], valkey-username: poor}\n")
		cfg := settings(t, append(args, "--auth-file="+path)...)
		if s, err := New(cfg, (&log{}).logger()); err == nil {
			s.Close()
			t.Error("a user without a password is taken")
		} else if !strings.Contains(err.Error(), "valkey-username") || !strings.Contains(err.Error(), "poor: ") {
			t.Error(err)
		}
	}
}
