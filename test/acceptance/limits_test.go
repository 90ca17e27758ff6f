package acceptance

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// wantLimit checks a status about a limit: both figures in message and metadata.
func wantLimit(t *testing.T, f failure, what string, actual, allowed int) {
	t.Helper()
	f.wantMetadata(t, map[string]string{"limit": what, "actual": number(actual), "allowed": number(allowed)})
	if f.reason != "LIMIT_EXCEEDED" {
		t.Errorf("reason %s", f.reason)
	}
	for _, figure := range []int{actual, allowed} {
		if !strings.Contains(f.message, strconv.Itoa(figure)) {
			t.Errorf("message %q does not say %d", f.message, figure)
		}
	}
	if f.retry {
		t.Error("RetryInfo with a request that can never fit")
	}
}

func repeated(n int, c *valkeybatchv1.Command) []*valkeybatchv1.Command {
	out := make([]*valkeybatchv1.Command, n)
	for i := range out {
		out[i] = c
	}
	return out
}

func TestAcceptance127_OneOverEachLimit(t *testing.T) {
	const maxCommands, maxBytes, maxReply, maxDepth = 50, 2048, 1024, 4
	ownMatrix(t, "SC", []string{
		"--max-commands", number(maxCommands), "--max-request-bytes", "2KiB", "--max-reply-bytes", "1KiB", "--max-reply-depth", number(maxDepth),
		"--topology-refresh", "1h",
	}, func(t *testing.T, e *env) {
		for mode, batch := range map[string]func(...*valkeybatchv1.Command) request{"P": pipeline, "A": atomicBatch} {
			t.Run("commands "+mode, func(t *testing.T) {
				e.must(t, batch(repeated(maxCommands, cmd("TTL", "k"))...))
				w := watchEnv(t, e)
				f := e.fail(t, batch(repeated(maxCommands+1, cmd("TTL", "k"))...), codes.ResourceExhausted)
				wantLimit(t, f, "commands per batch", maxCommands+1, maxCommands)
				f.wantMetadata(t, map[string]string{"field": "batch.commands"})
				w.nothingSent(t)
			})
			t.Run("request bytes "+mode, func(t *testing.T) {
				for form, make := range map[string]func(...string) *valkeybatchv1.Command{"args": cmd, "text_args": text} {
					// What is measured are the encoded commands.
					size := func(n int) int {
						return proto.Size(&valkeybatchv1.Batch{Commands: []*valkeybatchv1.Command{make("SET", "k", strings.Repeat("v", n)), make("DEL", "k")}})
					}
					n := maxBytes - 64
					for size(n) < maxBytes {
						n++
					}
					sized := func(n int) request { return batch(make("SET", "k", strings.Repeat("v", n)), make("DEL", "k")) }
					e.want(t, sized(n), "OK", "1")
					w := watchEnv(t, e)
					f := e.fail(t, sized(n+1), codes.ResourceExhausted)
					wantLimit(t, f, "request bytes", maxBytes+1, maxBytes)
					f.wantMetadata(t, map[string]string{"field": "batch"})
					w.nothingSent(t)
					if t.Failed() {
						t.Fatal(form)
					}
				}
			})
			t.Run("reply depth "+mode, func(t *testing.T) {
				// The transaction's own array counts for what it holds.
				nested := func(depth int) *valkeybatchv1.Command {
					return cmd("EVAL", "return "+strings.Repeat("{", depth)+"7"+strings.Repeat("}", depth), "0")
				}
				e.want(t, batch(nested(2)), "[[7]]")
				f := e.fail(t, batch(nested(maxDepth+2)), codes.ResourceExhausted)
				if f.reason != "LIMIT_EXCEEDED" || f.metadata["allowed"] != number(maxDepth) || !strings.Contains(f.message, "limit of "+number(maxDepth)) {
					t.Errorf("reason %s, message %q, metadata %v", f.reason, f.message, f.metadata)
				}
				e.want(t, batch(nested(1)), "[7]")
			})
		}
		t.Run("reply bytes", func(t *testing.T) {
			// "$1015\r\n", the value and "\r\n" are 1,024 bytes.
			e.owner(t, "k").MustDo(t, "SET", "k", strings.Repeat("v", 1015))
			e.want(t, pipeline(cmd("GET", "k")), strconv.Quote(strings.Repeat("v", 1015)))
			e.owner(t, "k").MustDo(t, "APPEND", "k", "v")
			f := e.fail(t, pipeline(cmd("GET", "k")), codes.ResourceExhausted)
			wantLimit(t, f, "reply bytes", maxReply+1, maxReply)
			e.want(t, pipeline(cmd("STRLEN", "k")), "1016")
			f = e.fail(t, atomicBatch(cmd("GET", "k")), codes.ResourceExhausted)
			if f.reason != "LIMIT_EXCEEDED" || f.metadata["allowed"] != number(maxReply) {
				t.Errorf("atomic: reason %s, metadata %v", f.reason, f.metadata)
			}
			e.want(t, atomicBatch(cmd("STRLEN", "k")), "1016")
		})
		// What gRPC itself refuses has gRPC's own words and no details, but the code and both figures.
		t.Run("message far too large", func(t *testing.T) {
			w := watchEnv(t, e)
			_, err := e.send(pipeline(cmd("SET", "k", strings.Repeat("v", 4<<20))))
			f := failureOf(err)
			if f.code != codes.ResourceExhausted || !strings.Contains(f.message, fmt.Sprint(maxBytes+1<<20)) || !strings.Contains(f.message, "41943") {
				t.Errorf("%v: %s", f.code, f.message)
			}
			w.nothingSent(t)
			if e.isCluster {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if _, err := e.client.ExecuteBatch(ctx, pipeline(cmd("DEL", "k")).ExecuteBatchRequest); err != nil {
				t.Errorf("the connection is of no use any more: %v", err)
			}
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
