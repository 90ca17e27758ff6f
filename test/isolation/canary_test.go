package isolation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/servertest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// canaryLimit is the longest that any batch of a canary may take. It is far above what they take:
// neighbours of the machine must not fail a test.
const canaryLimit = 20 * time.Second

// flock is the canaries of a test.
type flock struct {
	isCluster bool
	// lenient lets batches be refused for load, with all that such a refusal is to say. They are
	// sent again, and most must be served.
	lenient bool

	wg       sync.WaitGroup
	ctx      context.Context
	cancel   context.CancelFunc
	errs     chan error // the first few
	refused  atomic.Int64
	verified atomic.Int64
	aloft    atomic.Int64 // canaries that were served

	mu   sync.Mutex
	took []time.Duration
}

var flocks atomic.Int64

// kinds is how many canaries a flock has.
const kinds = 4

// release starts canaries of all kinds, each on a connection of its own. They end with done.
func release(t *testing.T, s *servertest.Server, isCluster, lenient bool) *flock {
	t.Helper()
	f := &flock{isCluster: isCluster, lenient: lenient, errs: make(chan error, 8)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for i, fly := range [kinds]func(*canary) error{(*canary).pipelined, (*canary).atomic, (*canary).streamed, (*canary).pipelined} {
		c := &canary{flock: f, name: fmt.Sprintf("canary:%d:%d", flocks.Add(1), i),
			client: valkeybatchv1.NewBatchServiceClient(servertest.Dial(t, s.Target))}
		f.wg.Go(func() {
			defer c.end()
			for f.ctx.Err() == nil {
				if err := fly(c); err != nil {
					select {
					case f.errs <- fmt.Errorf("%s, round %d: %w", c.name, c.round, err):
					default:
					}
					return
				}
				if c.round++; c.round == 1 {
					f.aloft.Add(1)
				}
				time.Sleep(4 * time.Millisecond)
			}
		})
	}
	t.Cleanup(func() { // a test that failed early
		f.cancel()
		f.wg.Wait()
	})
	return f
}

// awaitAloft waits until each canary has been served.
func (f *flock) awaitAloft(t *testing.T) {
	t.Helper()
	valkeytest.Eventually(t, "canaries that are served", func() error {
		if n := f.aloft.Load(); n < kinds {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
}

// done ends the canaries and fails the test if one met anything but its own replies, in time.
func (f *flock) done(t *testing.T) {
	t.Helper()
	f.cancel()
	f.wg.Wait()
	close(f.errs)
	for err := range f.errs {
		t.Error(err)
	}
	slices.Sort(f.took)
	n := len(f.took)
	if n == 0 {
		t.Error("no canary was served")
		return
	}
	t.Logf("canaries: %d batches and %d replies verified, %d refused for load; p50 %v, p99 %v, max %v",
		n, f.verified.Load(), f.refused.Load(), f.took[n/2], f.took[n*99/100], f.took[n-1])
	if most := f.took[n-1]; most > canaryLimit {
		t.Errorf("a canary's batch took %v", most)
	}
	if refused := f.refused.Load(); refused > int64(10*n)+100 {
		t.Errorf("%d batches of canaries were refused, and %d served", refused, n)
	}
}

// canary is a caller who sends small batches over keys of its own and knows every reply.
type canary struct {
	*flock
	name   string
	round  int
	client valkeybatchv1.BatchServiceClient
	stream valkeybatchv1.BatchService_StreamBatchesClient
	id     uint64
	hangUp context.CancelFunc
}

func (c *canary) end() {
	if c.hangUp != nil {
		c.hangUp()
	}
}

// batch makes a round's commands and the replies that they must have, in one slot or in many.
func (c *canary) batch(oneSlot bool) (commands []*command, want []string) {
	value := fmt.Sprintf("%s=%d", c.name, c.round)
	key := func(s string) string {
		if oneSlot {
			return "{" + c.name + "}" + s
		}
		return c.name + s
	}
	add := func(reply string, words ...string) {
		commands, want = append(commands, cmd(words...)), append(want, reply)
	}
	add("OK", "SET", key("s"), value)
	add(value, "GET", key("s"))
	add(strconv.Itoa(c.round+1), "INCR", key("n"))
	add(value+"!", "ECHO", value+"!")
	add("nil", "GET", key("none"))
	add("1", "DEL", key("s"))
	add(fmt.Sprint(min(c.round, 3)+1), "RPUSH", key("l"), value)
	if c.round >= 3 {
		add(fmt.Sprintf("%s=%d", c.name, c.round-3), "LPOP", key("l"))
	}
	add("!WRONGTYPE Operation against a key holding the wrong kind of value", "INCR", key("l"))
	return commands, want
}

// plain writes a scalar reply.
func plain(v *valkeybatchv1.Value) string {
	switch k := v.GetKind().(type) {
	case *valkeybatchv1.Value_StringValue:
		return k.StringValue
	case *valkeybatchv1.Value_BytesValue:
		return string(k.BytesValue)
	case *valkeybatchv1.Value_IntegerValue:
		return strconv.FormatInt(k.IntegerValue, 10)
	case *valkeybatchv1.Value_NullValue:
		return "nil"
	case *valkeybatchv1.Value_ErrorValue:
		return "!" + k.ErrorValue.GetMessage()
	}
	return fmt.Sprintf("%.200v", v)
}

// call sends a batch until it is not refused for load, and verifies its replies.
func (c *canary) call(r *request, want []string, send func(*request) (*response, error)) error {
	within(c.isCluster, r, canaryLimit, false)
	for {
		begun := time.Now()
		resp, err := send(r)
		took := time.Since(begun)
		if f := refusalOf(err); err != nil && c.lenient && f.code == codes.ResourceExhausted && f.reason == "OVERLOADED" {
			if !f.retry || f.metadata["actual"] == "" || f.metadata["allowed"] == "" || f.metadata["setting"] == "" {
				return fmt.Errorf("a refusal for load that does not say enough: %v", f)
			}
			c.refused.Add(1)
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("after %v: %v", took, refusalOf(err))
		}
		if got, want := len(resp.GetResults()), len(want); got != want {
			return fmt.Errorf("%d results, want %d", got, want)
		}
		for i, v := range resp.GetResults() {
			if got := plain(v); got != want[i] {
				return fmt.Errorf("result %d of %s is %.300q, want %q", i, r.GetBatch().GetCommands()[i].GetArgs(), got, want[i])
			}
		}
		c.verified.Add(int64(len(want)))
		c.mu.Lock()
		c.took = append(c.took, took)
		c.mu.Unlock()
		return nil
	}
}

// unary sends a batch on a call of its own.
func (c *canary) unary(r *request) (*response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*canaryLimit)
	defer cancel()
	return c.client.ExecuteBatch(ctx, r)
}

func (c *canary) pipelined() error {
	commands, want := c.batch(false)
	return c.call(pipeline(commands...), want, c.unary)
}

func (c *canary) atomic() error {
	commands, want := c.batch(true)
	return c.call(atomicBatch(commands...), want, c.unary)
}

func (c *canary) streamed() error {
	commands, want := c.batch(false)
	return c.call(pipeline(commands...), want, func(r *request) (*response, error) {
		if c.stream == nil {
			ctx, cancel := context.WithCancel(context.Background())
			c.hangUp = cancel
			stream, err := c.client.StreamBatches(ctx)
			if err != nil {
				return nil, err
			}
			c.stream = stream
		}
		c.id++
		if err := c.stream.Send(&valkeybatchv1.StreamBatchesRequest{Id: c.id, Request: r}); err != nil {
			_, err = c.stream.Recv()
			return nil, err
		}
		watchdog := time.AfterFunc(2*canaryLimit, c.hangUp)
		defer watchdog.Stop()
		answer, err := c.stream.Recv()
		switch {
		case err != nil:
			return nil, err
		case answer.GetId() != c.id:
			return nil, fmt.Errorf("the answer to %d came for %d", answer.GetId(), c.id)
		case answer.GetResponse() == nil:
			return nil, errorIn(answer)
		}
		return answer.GetResponse(), nil
	})
}
