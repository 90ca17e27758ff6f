package acceptance

import (
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// The limits themselves are tested with 127: here it is that nothing of a batch over one of
// them is sent, not even its good beginning.
func TestAcceptance124_NothingIsSentOfABatchOverALimit(t *testing.T) {
	const maxCommands, maxBytes = 50, 2048
	ownMatrix(t, "SC", []string{
		"--max-commands", strconv.Itoa(maxCommands), "--max-request-bytes", "2KiB", "--topology-refresh", "1h",
	}, func(t *testing.T, e *env) {
		for mode, batch := range map[string]func(...*valkeybatchv1.Command) request{"P": pipeline, "A": atomicBatch} {
			t.Run("commands "+mode, func(t *testing.T) {
				e.must(t, batch(repeated(maxCommands, cmd("TTL", "k"))...))
				w := watchEnv(t, e)
				f := e.fail(t, batch(repeated(maxCommands+1, cmd("TTL", "k"))...), codes.ResourceExhausted)
				overLimit(t, f, maxCommands+1, maxCommands)
				f.wantMetadata(t, map[string]string{"limit": "commands per batch", "field": "batch.commands"})
				w.nothingSent(t)
			})
			for form, command := range map[string]func(...string) *valkeybatchv1.Command{"args": cmd, "text_args": text} {
				t.Run("request bytes "+mode+" "+form, func(t *testing.T) {
					sized := func(n int) request {
						return batch(command("SET", "k", strings.Repeat("v", n)), command("DEL", "k"))
					}
					n := maxBytes - 64
					for encoded(sized(n)) < maxBytes {
						n++
					}
					e.want(t, sized(n), "OK", "1")
					w := watchEnv(t, e)
					f := e.fail(t, sized(n+1), codes.ResourceExhausted)
					overLimit(t, f, maxBytes+1, maxBytes)
					f.wantMetadata(t, map[string]string{"limit": "request bytes", "field": "batch"})
					w.nothingSent(t)
				})
			}
		}
		t.Run("more than gRPC takes", func(t *testing.T) {
			w := watchEnv(t, e)
			_, err := e.send(pipeline(cmd("SET", "k", "v"), cmd("SET", "k", strings.Repeat("v", 4<<20))))
			if f := failureOf(err); f.code != codes.ResourceExhausted {
				t.Error(describe(err))
			}
			w.nothingSent(t)
			e.want(t, pipeline(cmd("DEL", "k")), "0") // the caller's connection goes on
		})
	})
}

func TestAcceptance060_InFlightBytes(t *testing.T) {
	ownMatrix(t, "SC", []string{"--max-request-bytes", "2KiB", "--max-in-flight-bytes", "2KiB"}, func(t *testing.T, e *env) {
		list := e.k("list")
		ended := make(chan error, 1)
		go func() {
			_, err := e.send(pipeline(cmd("BLPOP", list, "0"), cmd("ECHO", strings.Repeat("x", 1000))).within(e.isCluster, patience))
			ended <- err
		}()
		awaitBlocked(t, e.owner(t, list), "1")
		w := watchEnv(t, e)
		f := e.fail(t, pipeline(cmd("ECHO", strings.Repeat("x", 1500))), codes.ResourceExhausted)
		f.wantMetadata(t, map[string]string{"limit": "request bytes in flight", "allowed": "2048"})
		if !f.retry || f.reason != "OVERLOADED" || !strings.Contains(f.message, f.metadata["actual"]) {
			t.Errorf("reason %s, RetryInfo %v, message %q", f.reason, f.retry, f.message)
		}
		w.nothingSent(t)
		e.want(t, pipeline(cmd("RPUSH", list, "x")), "1") // what fits is carried out
		if err := <-ended; err != nil {
			t.Error(describe(err))
		}
		e.want(t, pipeline(cmd("ECHO", strings.Repeat("x", 1500))), strconv.Quote(strings.Repeat("x", 1500)))
	})
}
