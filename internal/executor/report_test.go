package executor

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

var errNotYet = errors.New("not yet")

// fixed is a deployment that always is what it is said to be.
type fixed struct{ topology *slotmap.Topology }

func (f fixed) Topology(context.Context) (*slotmap.Topology, error) { return f.topology, nil }

// reporting keeps what is told of the last batch.
type reporting struct {
	counts  counts
	planned bool
}

// counts is what a report counts, and how many of its sends were written to a connection.
type counts struct {
	Commands, Rounds, Sends, Written, Moved, Asked int
	Retries                                        map[string]int
}

func (*reporting) Detailed(context.Context) bool { return false }

func (o *reporting) Executed(_ context.Context, r *Report) {
	o.planned = !r.Planned.IsZero()
	o.counts = counts{Rounds: r.Rounds, Sends: len(r.Sends), Moved: r.Moved, Asked: r.Asked, Retries: map[string]int{}}
	for i := range r.Sends {
		if !r.Sends[i].Written.IsZero() {
			o.counts.Written++
		}
	}
	for _, n := range r.Families {
		o.counts.Commands += n
	}
	for cause, n := range r.Retries {
		if n > 0 {
			o.counts.Retries[Cause(cause).String()] = n
		}
	}
}

// reported carries out a batch on a deployment that is what it is said to be.
func reported(t *testing.T, topology *slotmap.Topology, atomic bool, o options.Options, commands ...[]string) (*reporting, *Results, error) {
	t.Helper()
	m := slotmap.NewMap(fixed{topology}, slotmap.Config{})
	t.Cleanup(m.Close)
	pool := node.NewPool(node.Config{Cluster: topology.IsCluster()})
	t.Cleanup(pool.Close)
	policy, err := command.NewPolicy(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := &reporting{}
	e := New(Config{Map: m, Pool: pool, Commands: builtinOnly{}, Policy: policy, Observer: seen})
	b := Batch{Atomic: atomic}
	for _, words := range commands {
		args := make([][]byte, len(words))
		for i, w := range words {
			args[i] = []byte(w)
		}
		b.Commands = append(b.Commands, args)
	}
	results, err := e.Execute(t.Context(), b, o)
	if err == nil {
		results.Budget.Release()
	}
	return seen, results, err
}

func wantCounts(t *testing.T, seen *reporting, want counts) {
	t.Helper()
	if want.Retries == nil {
		want.Retries = map[string]int{}
	}
	if diff := cmp.Diff(want, seen.counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// soon is the time of a batch that is over before it, and short that of one that is retried to
// its end.
var (
	soon  = options.Options{Timeout: 20 * time.Second}
	short = options.Options{Timeout: 2 * time.Second, RetryServerError: true}
)

// wantRetries checks a batch of so many commands that was sent again and again for a cause: each
// round but the first is a retry of each, and no other is.
func wantRetries(t *testing.T, seen *reporting, commands int, cause string) {
	t.Helper()
	rounds := seen.counts.Rounds
	if rounds < 3 {
		t.Errorf("only %d rounds", rounds)
	}
	wantCounts(t, seen, counts{Commands: commands, Rounds: rounds, Sends: rounds, Written: rounds,
		Retries: map[string]int{cause: (rounds - 1) * commands}})
}

// TestRetriesAreExact: what is counted as sent again was, by its cause, and what was never written
// to a node is no command of any family.
func TestRetriesAreExact(t *testing.T) {
	t.Run("CONNECTION", func(t *testing.T) {
		srv := valkeytest.StartServer(t)
		down := slotmap.Standalone(srv.Addr())
		srv.Kill(t)
		for _, atomic := range []bool{false, true} {
			seen, _, _ := reported(t, down, atomic, soon, []string{"SET", "k", "v"}, []string{"GET", "k"})
			each := 2
			if atomic {
				each = 1
			}
			wantCounts(t, seen, counts{Rounds: unsentAttempts + 1, Sends: unsentAttempts + 1,
				Retries: map[string]int{"CONNECTION": each * unsentAttempts}})
		}
	})
	t.Run("no node", func(t *testing.T) {
		seen, _, err := reported(t, slotmap.NewCluster(nil), false, soon, []string{"SET", "k", "v"})
		if err != nil || !seen.planned {
			t.Errorf("%v, planned %v: the pauses before retries are no planning", err, seen.planned)
		}
		wantCounts(t, seen, counts{})
	})
	t.Run("READONLY", func(t *testing.T) {
		srv := valkeytest.StartServer(t)
		srv.MustDo(t, "REPLICAOF", "127.0.0.1", "1")
		replica := slotmap.Standalone(srv.Addr())
		seen, _, _ := reported(t, replica, false, short, []string{"SET", "k", "v"}, []string{"SET", "k", "w"})
		wantRetries(t, seen, 2, "READONLY")
		// A transaction is sent again a few times, then refused: that is no retry.
		seen, _, _ = reported(t, replica, true, soon, []string{"SET", "k", "v"})
		wantCounts(t, seen, counts{Commands: 1, Rounds: unsentAttempts + 1, Sends: unsentAttempts + 1, Written: unsentAttempts + 1,
			Retries: map[string]int{"READONLY": unsentAttempts}})
		t.Run("MASTERDOWN", func(t *testing.T) {
			srv.MustDo(t, "CONFIG", "SET", "replica-serve-stale-data", "no")
			seen, _, _ := reported(t, replica, false, short, []string{"GET", "k"})
			wantRetries(t, seen, 1, "MASTERDOWN")
		})
	})
	t.Run("LOADING", func(t *testing.T) {
		srv := valkeytest.StartServer(t, valkeytest.Args("--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024"))
		conn := srv.Dial(t)
		srv.MustDo(t, "DEBUG", "POPULATE", "5000")
		srv.MustDo(t, "CONFIG", "SET", "key-load-delay", "1000") // in microseconds: 5 s in all
		conn.Send(t, "DEBUG", "RELOAD")
		valkeytest.Eventually(t, "loading", func() error {
			if f := srv.Do(t, "DBSIZE"); f.ErrorCode() != "LOADING" {
				return errNotYet
			}
			return nil
		})
		loading := slotmap.Standalone(srv.Addr())
		seen, _, _ := reported(t, loading, true, options.Options{Timeout: time.Second}, []string{"SET", "k", "v"})
		rounds := seen.counts.Rounds
		if rounds < 2 || seen.counts.Retries["LOADING"] != rounds-1 || len(seen.counts.Retries) != 1 {
			t.Errorf("a transaction: %+v", seen.counts)
		}
		seen, _, _ = reported(t, loading, false, options.Options{Timeout: time.Second, RetryServerError: true}, []string{"GET", "k"})
		wantRetries(t, seen, 1, "LOADING")
		valkeytest.Eventually(t, "the end of loading", func() error {
			if f := srv.Do(t, "DBSIZE"); f.IsError() {
				return errNotYet
			}
			return nil
		})
	})
	t.Run("cluster", func(t *testing.T) { testClusterRetries(t) })
}

func testClusterRetries(t *testing.T) {
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{Args: []string{"--cluster-require-full-coverage", "no"}})
	a, b := cluster.Primaries()[0], cluster.Primaries()[1]
	// As if the first of them were all there is.
	only := slotmap.NewCluster([]slotmap.Shard{{Primary: a.Addr(), Ranges: []slotmap.Range{{First: 0, Last: slotmap.Slots - 1}}}})
	key := cluster.KeyFor(t, b)
	t.Run("UNKNOWN_NODE", func(t *testing.T) {
		seen, results, err := reported(t, only, false, soon, []string{"GET", key})
		if err != nil || results.Results[0].Err == nil || results.Results[0].Err.Code != "MOVED" {
			t.Fatalf("%+v, %v", results, err)
		}
		wantCounts(t, seen, counts{Commands: 1, Rounds: strangers + 1, Sends: strangers + 1, Written: strangers + 1,
			Retries: map[string]int{"UNKNOWN_NODE": strangers}})
	})
	t.Run("MOVED", func(t *testing.T) {
		wrong := slotmap.NewCluster([]slotmap.Shard{{Primary: a.Addr(), Ranges: []slotmap.Range{{First: 0, Last: slotmap.Slots - 1}}}, {Primary: b.Addr()}})
		for _, atomic := range []bool{false, true} {
			seen, _, err := reported(t, wrong, atomic, soon, []string{"GET", key})
			if err != nil {
				t.Fatal(err)
			}
			wantCounts(t, seen, counts{Commands: 1, Rounds: 2, Sends: 2, Written: 2, Moved: 1})
		}
	})
	t.Run("TRYAGAIN", func(t *testing.T) {
		slot := cluster.SlotOf(t, a)
		one, two := valkeytest.KeyIn(slot, "one"), valkeytest.KeyIn(slot, "two")
		a.MustDo(t, "MSET", one, "1", two, "2")
		cluster.BeginMigration(t, slot, a, b)
		cluster.MigrateKeys(t, slot, a, b, one)
		seen, _, _ := reported(t, only, false, short, []string{"MGET", one, two})
		wantRetries(t, seen, 1, "TRYAGAIN")
		cluster.MigrateKeys(t, slot, a, b)
		cluster.FinishMigration(t, slot, a, b)
	})
	t.Run("CLUSTERDOWN", func(t *testing.T) {
		slot := cluster.SlotOf(t, a)
		for _, n := range cluster.Nodes() {
			n.MustDo(t, "CLUSTER", "DELSLOTS", strconv.Itoa(int(slot)))
		}
		seen, _, _ := reported(t, only, false, short, []string{"GET", valkeytest.KeyIn(slot)})
		wantRetries(t, seen, 1, "CLUSTERDOWN")
	})
}
