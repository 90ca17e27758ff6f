package server

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestValkeyPasswordRotatedUnderLoad exchanges the password in both orders, with connections
// that live through it and with new ones at every step, and expects no failed batch.
func TestValkeyPasswordRotatedUnderLoad(t *testing.T) {
	t.Run("read as it changes", func(t *testing.T) { testPasswordRotated(t, "10ms") })
	t.Run("read as nodes refuse", func(t *testing.T) { testPasswordRotated(t, "1h") })
}

func testPasswordRotated(t *testing.T, interval string) {
	t.Helper()
	valkey := valkeytest.StartServer(t)
	user := func(rules ...string) {
		t.Helper()
		valkey.MustDo(t, append([]string{"ACL", "SETUSER", "app"}, rules...)...)
	}
	user("on", ">marker-one", "+@all", "~*", "&*")
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("marker-one")
	r := start(t, settings(t, "--valkey="+valkey.Addr(), "--valkey-username=app", "--valkey-password-file="+file, "--reload-interval="+interval))
	client := r.client(t)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var done atomic.Int64
	defer load.Wait()
	defer stop()
	for range 2 {
		load.Go(func() {
			for ctx.Err() == nil {
				answer, err := client.ExecuteBatch(testContext(t), batch([]string{"INCR", "n"}, []string{"EVAL", "return 1", "0"}))
				if err != nil || answer.GetFailedCount() > 0 {
					t.Errorf("%v, %v", answer, err)
				}
				done.Add(1)
			}
		})
	}
	// anew makes connections: one for each of some batches that block at the same time.
	blocked := 0
	anew := func(when string) {
		t.Helper()
		n := done.Load()
		blocked += 3
		var waiting sync.WaitGroup
		within, release := context.WithTimeout(t.Context(), time.Minute)
		for range blocked {
			waiting.Go(func() {
				answer, err := client.ExecuteBatch(within, batch([]string{"BLPOP", "queue", "0"}))
				if err != nil || answer.GetFailedCount() > 0 {
					t.Errorf("%s: on a new connection: %v, %v", when, answer, err)
				}
			})
		}
		eventually(t, when+": so many batches block", func() bool {
			return valkey.Info(t, "clients", "blocked_clients") == itoa(blocked)
		})
		for range blocked {
			valkey.MustDo(t, "RPUSH", "queue", "x")
		}
		waiting.Wait()
		release()
		eventually(t, when+": batches go on", func() bool { return done.Load() > n+10 })
	}
	anew("at first")
	// As it is done: the new password beside the old one, the file, the old one away.
	user(">marker-two")
	anew("with both")
	write("marker-two")
	anew("with the new one in the file")
	user("<marker-one")
	anew("without the old one")
	// The file first, while the node does not know the new password yet: where the file was read,
	// what it held before still serves.
	write("marker-three")
	if interval != "1h" {
		eventually(t, "the file is read", func() bool { return strings.Count(r.log.String(), "read changed files") == 2 })
	}
	anew("with a password that the node does not know yet")
	user(">marker-three", "<marker-two")
	anew("with the password that the node has learnt")
	eventually(t, "the deployment is healthy", func() bool {
		return healthOf(t, dial(t, r.Addrs()[0]), HealthServer).String() == "SERVING"
	})
	if strings.Contains(r.log.String(), "marker") {
		t.Errorf("a password is in the log:\n%s", r.log)
	}
}

// itoa writes a small figure as INFO does.
func itoa(n int) string { return strconv.Itoa(n) }
