package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// A script's own words, however like a server's, are no reason to run it again.
func TestAcceptance117_MadeUpConditions(t *testing.T) {
	ownMatrix(t, "SC", nil, func(t *testing.T, e *env) {
		for i, text := range []string{
			"TRYAGAIN x", "LOADING", "CLUSTERDOWN The cluster is down for good", "MASTERDOWN x", "READONLY x",
			"READONLY You can't write against a read only replica. script: 0, on @user_script:1.",
		} {
			n := e.k(fmt.Sprint("n", i))
			start := time.Now()
			v := e.must(t, pipeline(forge(n, text)).retry(e.isCluster, true, true).within(e.isCluster, patience/2))[0]
			code, _, _ := strings.Cut(text, " ")
			wantError(t, v, code, ran, e.owner(t, n).Addr())
			if took := time.Since(start); took > patience/4 {
				t.Errorf("%q: it took %v", text, took)
			}
			e.want(t, pipeline(cmd("GET", n)), `"1"`)
		}
	})
}

// When it is the server that refuses a script, as it does before the script begins, the script
// is sent again until the condition has passed.
func TestAcceptance117_ScriptsRefusedByTheServer(t *testing.T) {
	const script = "return redis.call('INCR', KEYS[1])"
	retried := func(r request, isCluster bool) request {
		return r.retry(isCluster, true, false).within(isCluster, patience/2)
	}
	t.Run("LOADING", func(t *testing.T) {
		srv := valkeytest.StartServer(t)
		s := serve(t, []string{srv.Addr()})
		done := load(t, srv, time.Second)
		wantError(t, s.must(t, pipeline(cmd("EVAL", script, "1", "n")))[0], "LOADING", ran, srv.Addr())
		s.want(t, retried(pipeline(cmd("EVAL", script, "1", "n")), false), "1")
		<-done
	})
	for code, c := range map[string]struct {
		stale string
		calls []*valkeybatchv1.Command
	}{
		"READONLY": {"yes", []*valkeybatchv1.Command{
			cmd("FCALL", "write", "1", "n"), cmd("EVAL", "#!lua\n"+script, "1", "n"),
		}},
		"MASTERDOWN": {"no", []*valkeybatchv1.Command{
			cmd("FCALL", "read", "1", "n"), cmd("EVAL_RO", "#!lua flags=no-writes\nreturn 1", "1", "n"), cmd("EVAL", "return 1", "1", "n"),
		}},
	} {
		t.Run(code, func(t *testing.T) {
			srv, nobody := valkeytest.StartServer(t), valkeytest.StartServer(t)
			nobody.Kill(t)
			s := serve(t, []string{srv.Addr()})
			s.want(t, pipeline(cmd("FUNCTION", "LOAD", "#!lua name=lib\n"+
				"redis.register_function('write', function(keys) return redis.call('INCR', keys[1]) end)\n"+
				"redis.register_function{function_name='read', flags={'no-writes'}, callback=function() return 1 end}")), `"lib"`)
			srv.MustDo(t, "CONFIG", "SET", "replica-serve-stale-data", c.stale)
			srv.MustDo(t, "REPLICAOF", "127.0.0.1", fmt.Sprint(nobody.Port()))
			for _, v := range s.must(t, pipeline(c.calls...)) {
				wantError(t, v, code, ran, srv.Addr())
			}
			time.AfterFunc(400*time.Millisecond, func() { srv.MustDo(t, "REPLICAOF", "NO", "ONE") })
			for i, v := range s.must(t, retried(pipeline(c.calls...), false)) {
				if v.GetErrorValue() != nil {
					t.Errorf("%s: %s", c.calls[i].GetArgs()[0], render(v))
				}
			}
		})
	}
	t.Run("cluster", func(t *testing.T) {
		c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Args: []string{"--cluster-require-full-coverage", "no"}})
		p := c.Primaries()
		s := serve(t, c.Seeds(), unasked...)
		k := func(slot uint16, name string) string { return valkeytest.KeyIn(slot, name) }
		const two = "return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])"
		s.want(t, pipeline(cmd("MSET", k(70, "a"), "0", k(70, "b"), "0")), "OK")
		c.BeginMigration(t, 70, p[0], p[1])
		c.MigrateKeys(t, 70, p[0], p[1], k(70, "a"))
		tryAgain := func() request { return pipeline(cmd("EVAL", two, "2", k(70, "a"), k(70, "b"))) }
		wantError(t, s.must(t, tryAgain())[0], "TRYAGAIN", ran, p[0].Addr())
		moved := make(chan struct{})
		go func() {
			defer close(moved)
			time.Sleep(300 * time.Millisecond)
			c.MigrateKeys(t, 70, p[0], p[1])
			c.FinishMigration(t, 70, p[0], p[1])
		}()
		s.want(t, retried(tryAgain(), true), "2")
		<-moved

		p[0].MustDo(t, "CLUSTER", "DELSLOTS", "71")
		unserved := func() request { return pipeline(cmd("EVAL", script, "1", k(71, "n"))) }
		wantError(t, s.must(t, unserved())[0], "CLUSTERDOWN", ran, p[0].Addr())
		time.AfterFunc(300*time.Millisecond, func() { p[0].MustDo(t, "CLUSTER", "ADDSLOTS", "71") })
		s.want(t, retried(unserved(), true), "1")
	})
}
