package isolation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/servertest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// deployment is a deployment of a test's own, and a server in front of it.
type deployment struct {
	*servertest.Server
	isCluster bool
	nodes     []*valkeytest.Server
}

func (d *deployment) seeds() (addrs []string) {
	for _, n := range d.nodes {
		addrs = append(addrs, n.Addr())
	}
	return addrs
}

// onBoth runs a test on a standalone server and on a cluster of three primaries.
func onBoth(t *testing.T, flags []string, test func(t *testing.T, d *deployment)) {
	t.Helper()
	t.Run("standalone", func(t *testing.T) {
		t.Parallel()
		d := &deployment{nodes: []*valkeytest.Server{valkeytest.StartServer(t)}}
		d.Server = servertest.Serve(t, d.seeds(), flags...)
		test(t, d)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		d := &deployment{isCluster: true, nodes: valkeytest.StartCluster(t, valkeytest.ClusterOptions{}).Nodes()}
		d.Server = servertest.Serve(t, d.seeds(), flags...)
		test(t, d)
	})
}

// send sends a batch that has to be answered, and returns what came of it.
func (d *deployment) send(t *testing.T, r *request, timeout time.Duration, retry bool) (*response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	within(d.isCluster, r, timeout, retry)
	resp, err := d.Client.ExecuteBatch(ctx, r)
	if wrong := answered(r, resp, err); wrong != nil {
		t.Errorf("%.500v: %v", r.GetBatch(), wrong)
	}
	return resp, err
}

// noDefect fails the test if the server logged one.
func (d *deployment) noDefect(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(d.Logs.String()) {
		if strings.Contains(line, "defect") || strings.Contains(line, "panic") {
			t.Errorf("logged: %.1000s", line)
		}
	}
}

// shapes are the batches that a call comes in.
func shapes(call *command, r *rand.Rand) []*request {
	neighbour := func() *command { return cmd("ECHO", fmt.Sprint(r.Uint32())) }
	var longer []*command
	for range 3 {
		longer = append(longer, neighbour())
	}
	longer = append(longer, call, cmd("SET", "{swept}:a", "x"), call, neighbour())
	return []*request{pipeline(call), atomicBatch(call), pipeline(longer...), atomicBatch(longer...)}
}

// Every command and subcommand that the server lists, with every number of arguments, likely and
// odd ones, alone and among others, atomic and not.
func TestEveryCommand(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, d *deployment) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		commands := catalog(t, d.Server)
		canaries := release(t, d.Server, d.isCluster, false)
		work := make(chan known)
		var callers sync.WaitGroup
		sent := make([]int, 16)
		for i := range sent {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			callers.Go(func() {
				for k := range work {
					for _, call := range k.calls(r, scaled(1, 2)) {
						batches := shapes(call, r)
						batches = batches[r.IntN(len(batches)):]
						if !full {
							batches = batches[:1]
						}
						for _, batch := range batches {
							// Those that block take all of it.
							d.send(t, batch, 150*time.Millisecond, false)
							sent[i]++
						}
					}
				}
			})
		}
		for _, k := range commands {
			work <- k
		}
		close(work)
		callers.Wait()
		canaries.done(t)
		d.noDefect(t)
		total := 0
		for _, n := range sent {
			total += n
		}
		t.Logf("%d batches with %d commands and subcommands", total, len(commands))
		for _, n := range d.nodes {
			if !n.Running() {
				t.Errorf("%s is down", n.Addr())
			}
		}
	})
}

// hostile are commands that changed what others on the connection see, or worse, where a client
// let them through.
var hostile = []string{
	"MONITOR", "CLIENT REPLY SKIP", "CLIENT REPLY OFF", "CLIENT REPLY ON", "AUTH wrong", "AUTH nobody wrong",
	"HELLO 3 AUTH nobody wrong", "HELLO 2", "HELLO 3", "HELLO", "HELLO 99", "RESET", "REPLCONF ACK 0", "REPLCONF GETACK *", "SYNC", "PSYNC ? -1",
	"SUBSCRIBE c", "PSUBSCRIBE c*", "SSUBSCRIBE c", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "SELECT 5", "SELECT 99", "READONLY", "READWRITE",
	"CLIENT TRACKING ON", "CLIENT TRACKING ON BCAST", "CLIENT CACHING YES", "WATCH swept:s", "UNWATCH", "MULTI", "EXEC", "DISCARD",
	"CLIENT NO-EVICT ON", "CLIENT NO-TOUCH ON", "CLIENT SETNAME intruder", "CLIENT SETINFO lib-name intruder", "CLIENT CAPA redirect", "ASKING",
	"CLIENT IMPORT-SOURCE ON", "QUIT", "CLIENT KILL TYPE normal", "CLIENT KILL SKIPME no", "CLIENT PAUSE 10000 ALL", "CLIENT UNBLOCK 1",
	"SHUTDOWN NOSAVE", "DEBUG SLEEP 30", "DEBUG SEGFAULT", "DEBUG PANIC", "FAILOVER ABORT", "REPLICAOF NO ONE", "CLUSTER RESET HARD", "CLUSTER FORGET x",
	"CONFIG SET maxmemory 1", "CONFIG RESETSTAT", "FLUSHALL", "FLUSHDB ASYNC", "SWAPDB 0 1", "ACL SETUSER default off", "MODULE LOAD /x",
	"SCRIPT DEBUG YES", "SCRIPT DEBUG SYNC", "SCRIPT KILL", "FUNCTION KILL", "SCRIPT FLUSH", "FUNCTION FLUSH", "SLAVEOF NO ONE", "CLUSTER SYNCSLOTS",
	"BLPOP swept:none 0", "XREAD BLOCK 0 STREAMS swept:none $", "XREAD BLOCK\x00 0 STREAMS swept:none $", "WAIT 5 0", "WAITAOF 1 0 0", "BZMPOP 0 1 swept:none MIN",
}

// The commands that are known to hurt others, in every case, form and batch, all at once.
func TestHostileCommands(t *testing.T) {
	t.Parallel()
	onBoth(t, nil, func(t *testing.T, d *deployment) {
		canaries := release(t, d.Server, d.isCluster, false)
		var callers sync.WaitGroup
		for i := range 8 {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			callers.Go(func() {
				for range scaled(1, 20) {
					for _, at := range r.Perm(len(hostile)) {
						words := strings.Fields(hostile[at])
						words[0] = recased(r, words[0])
						call := cmd(words...)
						if r.IntN(2) == 0 {
							call = text(words...)
						}
						for _, batch := range shapes(call, r) {
							d.send(t, batch, 30*time.Millisecond, r.IntN(2) == 0)
						}
					}
				}
			})
		}
		callers.Wait()
		canaries.done(t)
		d.noDefect(t)
		for _, n := range d.nodes {
			list := n.Text(t, "CLIENT", "LIST")
			if strings.Contains(list, "intruder") {
				t.Errorf("a connection was renamed:\n%s", list)
			}
		}
	})
}
