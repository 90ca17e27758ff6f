package isolation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/servertest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// tight are limits that a test can reach, on a process whose memory can be told.
var tight = []string{
	"--max-request-bytes", "16MiB", "--max-in-flight-bytes", "64MiB",
	"--max-reply-bytes", "16MiB", "--max-in-flight-reply-bytes", "64MiB",
	"--max-stream-stall", "1s",
}

// tightMemory is the most memory of such a process: what is in flight, decoded requests the double,
// what the collector has not seen to yet once more, and 128 MiB for all else.
const tightMemory = (2*64+64+64)<<20*2 + 128<<20

// tightProcess starts such a process in front of a server with a long value.
func tightProcess(t *testing.T, flags ...string) (*servertest.Server, *valkeytest.Server) {
	t.Helper()
	// What Valkey holds for a client that is slow, or asks for much, is for it to bound.
	v := valkeytest.StartServer(t, valkeytest.Args("--client-output-buffer-limit", "normal", "2gb", "0", "0"))
	v.MustDo(t, "SET", "long", strings.Repeat("v", 8<<20))
	return servertest.StartProcess(t, []string{v.Addr()}, append(append([]string{}, tight...), flags...)...), v
}

// wantMemory fails the test if the server has had more memory than it may.
func wantMemory(t *testing.T, s *servertest.Server) {
	t.Helper()
	now, most := s.RSS(t)
	t.Logf("resident memory: %d MiB, at most %d MiB", now>>20, most>>20)
	if most > tightMemory {
		t.Errorf("the server has taken %d MiB, more than the %d MiB that its limits allow", most>>20, tightMemory>>20)
	}
}

// awaitRoom waits until replies that take nearly all that may be in flight have room.
func awaitRoom(t *testing.T, s *servertest.Server) {
	t.Helper()
	r := pipeline(cmd("GET", "long"))
	valkeytest.Eventually(t, "room for replies", func() error {
		// All at once, so that they have to be there at the same time.
		const n = 4
		errs := make(chan error, n)
		for range n {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				_, err := s.Client.ExecuteBatch(ctx, r)
				errs <- err
			}()
		}
		var all []error
		for range n {
			all = append(all, <-errs)
		}
		return errors.Join(all...)
	})
}

// Callers without a deadline who read nothing of their responses hold them for a bounded time, and
// lose only their own calls.
func TestUnreadResponses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		reads bool
	}{
		// The connection is read, and no room is given to the calls.
		{"no window", true},
		// Nothing is read, so that what is sent gets stuck in the sockets.
		{"not read", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, _ := tightProcess(t)
			canaries := release(t, s, false, false)
			var clients []*raw
			for range 3 {
				c := dialRaw(t, s.Target, test.reads, 60<<10)
				clients = append(clients, c)
				for i := range uint32(scaled(8, 30)) {
					c.call(t, 2*i+1, pipeline(cmd("GET", "long")))
				}
			}
			awaitRoom(t, s)
			if test.reads {
				// Each call was ended by itself, the connection was not.
				for _, c := range clients {
					for i := range uint32(scaled(8, 30)) {
						valkeytest.Eventually(t, "the end of a call", func() error {
							if c.ending(2*i+1) == "" {
								return errors.New("it goes on")
							}
							return nil
						})
						if got := c.ending(2*i + 1); got != "trailers" && !strings.HasPrefix(got, "RST_STREAM") {
							t.Errorf("call %d ended with %s", i, got)
						}
					}
					if c.goAway != "" {
						t.Errorf("the connection was ended: %s", c.goAway)
					}
					const next = 1001
					c.call(t, next, pipeline(cmd("ECHO", "x"), cmd("LPOP", "long")))
				}
			}
			canaries.done(t)
			if !strings.Contains(s.Logs.String(), "nothing of a response was read") {
				t.Error("nothing of it is logged")
			}
			wantMemory(t, s)
		})
	}
}

// The same of one connection beside others on it: a call that is read is not ended with those that
// are not, however long it takes.
func TestUnreadBesideRead(t *testing.T) {
	t.Parallel()
	s, _ := tightProcess(t)
	c := dialRaw(t, s.Target, true, 1<<20)
	// The window of the connection is large enough for all.
	c.must(t, func() error { return c.framer.WriteWindowUpdate(0, 1<<30) })
	c.call(t, 1, pipeline(cmd("GET", "long")))
	c.call(t, 3, pipeline(cmd("GET", "long")))
	for range 8 { // 1 MiB at a time, in far more than the second that a call may stand still
		time.Sleep(400 * time.Millisecond)
		c.must(t, func() error { return c.framer.WriteWindowUpdate(3, 1<<20) })
	}
	valkeytest.Eventually(t, "the end of both calls", func() error {
		if a, b := c.ending(1), c.ending(3); a == "" || b == "" {
			return fmt.Errorf("%q, %q", a, b)
		}
		return nil
	})
	if got := c.ending(1); !strings.HasPrefix(got, "RST_STREAM") {
		t.Errorf("the call that was not read ended with %s", got)
	}
	if got := c.ending(3); got != "trailers" {
		t.Errorf("the call that was read ended with %s", got)
	}
}

// The last answer of a stream is held no longer than any other.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	s, _ := tightProcess(t)
	canaries := release(t, s, false, false)
	for range 3 {
		c := dialRaw(t, s.Target, true, 60<<10)
		for i := range uint32(4) {
			if err := c.open(2*i+1, streamPath); err != nil {
				t.Fatal(err)
			}
			for n := range uint64(i + 1) { // on the first one answer alone
				if err := c.data(2*i+1, message(t, &valkeybatchv1.StreamBatchesRequest{Id: n, Request: pipeline(cmd("GET", "long"))}), false); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	awaitRoom(t, s)
	canaries.done(t)
	wantMemory(t, s)
}

// Messages of which a part was sent and the rest never comes are counted while they come, and end
// in time; so is one that is too long, before it is read, and with figures.
func TestHalfSentRequests(t *testing.T) {
	t.Parallel()
	s, _ := tightProcess(t)
	canaries := release(t, s, false, false)
	half := prefixed(make([]byte, 15<<20), 16<<20)
	var clients []*raw
	const calls = 6
	for range 3 {
		c := dialRaw(t, s.Target, true, 1<<20)
		clients = append(clients, c)
		for i := range uint32(calls) {
			path := []string{unaryPath, streamPath}[i%2]
			if err := c.open(2*i+1, path); err != nil {
				t.Fatal(err)
			}
			// Written in pieces that the server may refuse to take: it has ended the call then.
			for at := 0; at < len(half); at += 1 << 20 {
				if c.ending(2*i+1) != "" {
					break
				}
				if err := c.data(2*i+1, half[at:min(at+1<<20, len(half))], false); err != nil {
					break
				}
			}
		}
	}
	reasons := map[string]int{}
	for _, c := range clients {
		for i := range uint32(calls) {
			valkeytest.Eventually(t, "the end of a call", func() error {
				select {
				case <-c.gone:
					return nil
				default:
				}
				if c.ending(2*i+1) == "" {
					return errors.New("it goes on")
				}
				return nil
			})
			c.mu.Lock()
			if err := c.statuses[2*i+1]; err != nil {
				f := refusalOf(err)
				if f.code != codes.ResourceExhausted || f.metadata["allowed"] == "" {
					t.Errorf("a call ended with %v", f)
				}
				reasons[f.reason]++
			} else {
				reasons[c.ended[2*i+1]]++
			}
			c.mu.Unlock()
		}
	}
	t.Logf("half-sent messages ended with %v", reasons)
	canaries.done(t)
	wantMemory(t, s)
}
