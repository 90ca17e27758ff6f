package acceptance

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	batchservice "github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// overLimit checks the status of a batch that is over a limit: both figures are in the
// message for people and in the metadata for programs.
func overLimit(t *testing.T, f failure, actual, allowed int) {
	t.Helper()
	if f.reason != "LIMIT_EXCEEDED" || f.metadata["limit"] == "" {
		t.Errorf("reason %s of limit %q", f.reason, f.metadata["limit"])
	}
	for key, want := range map[string]int{"actual": actual, "allowed": allowed} {
		if f.metadata[key] != strconv.Itoa(want) {
			t.Errorf("metadata[%s] = %q, want %d", key, f.metadata[key], want)
		}
		if !strings.Contains(f.message, strconv.Itoa(want)) {
			t.Errorf("the message does not hold %d: %s", want, f.message)
		}
	}
	if f.retry {
		t.Error("RetryInfo: the same batch will never fit")
	}
}

func repeated(n int, command *valkeybatchv1.Command) []*valkeybatchv1.Command {
	commands := make([]*valkeybatchv1.Command, n)
	for i := range commands {
		commands[i] = command
	}
	return commands
}

// encoded is the size of a batch's commands as the contract encodes them.
func encoded(r request) int {
	return proto.Size(&valkeybatchv1.Batch{Commands: r.Batch.Commands})
}

func TestAcceptance127_CommandLimit(t *testing.T) {
	ownMatrix(t, "S", []string{"--max-commands", "100"}, func(t *testing.T, e *env) {
		for _, batch := range []func(...*valkeybatchv1.Command) request{pipeline, atomicBatch} {
			e.must(t, batch(repeated(100, cmd("INCR", "k"))...))
			overLimit(t, e.fail(t, batch(repeated(101, cmd("INCR", "k"))...), codes.ResourceExhausted), 101, 100)
		}
		if got := e.server.Text(t, "GET", "k"); got != "200" {
			t.Errorf("%s commands ran, want the 200 within the limit", got)
		}
	})
}

func TestAcceptance127_RequestLimit(t *testing.T) {
	const limit = 64 << 10
	ownMatrix(t, "S", []string{"--max-request-bytes", "64KiB"}, func(t *testing.T, e *env) {
		for _, batch := range []func(...*valkeybatchv1.Command) request{pipeline, atomicBatch} {
			for _, form := range []func(...string) *valkeybatchv1.Command{cmd, text} {
				sized := func(n int) request {
					pad := n - encoded(batch(form("GET", "k"), form("ECHO", strings.Repeat("x", n-100)))) + n - 100
					r := batch(form("GET", "k"), form("ECHO", strings.Repeat("x", pad)))
					if got := encoded(r); got != n {
						t.Fatalf("the batch takes %d bytes, want %d", got, n)
					}
					return r
				}
				e.must(t, sized(limit))
				overLimit(t, e.fail(t, sized(limit+1), codes.ResourceExhausted), limit+1, limit)
				overLimit(t, e.fail(t, sized(limit+1<<19), codes.ResourceExhausted), limit+1<<19, limit)
			}
		}
		if got := e.server.CommandStats(t, "echo"); got != 4 {
			t.Errorf("ECHO ran %d times, want the 4 within the limit", got)
		}
		// What is much larger is refused by its length, before it is read.
		huge := pipeline(cmd("ECHO", strings.Repeat("x", 4<<20)))
		overLimit(t, e.fail(t, huge, codes.ResourceExhausted), proto.Size(huge), limit+1<<20)
	})
}

// A longer argument than Valkey takes would cost the connection. It is not really sent here:
// half a gibibyte of zeros that nobody reads takes no memory.
func TestAcceptance127_ArgumentLimit(t *testing.T) {
	s := batchservice.New(batchservice.Config{Limits: batchservice.Limits{RequestBytes: 1 << 30}})
	const huge = 512<<20 + 1
	// The last field of every message is the one that holds the zeros, so that all but the
	// zeros comes first: the tag and the length of the batch, its commands, the last one's arguments.
	delimited := func(num protowire.Number, before []byte, zeros int) []byte {
		b := protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), uint64(len(before)+zeros))
		return append(b, before...)
	}
	argument := delimited(1, nil, huge)
	command := delimited(2, slices.Concat(delimited(1, []byte("SET"), 0), delimited(1, []byte("k"), 0), argument), huge)
	ping := delimited(2, delimited(1, []byte("PING"), 0), 0)
	head := delimited(1, slices.Concat(ping, command), huge)
	encoded := make([]byte, len(head)+huge)
	copy(encoded, head)
	req := wire.NewRequest(encoded)
	defer req.Release()
	_, err := s.ExecuteBatch(context.Background(), req)
	f := failureOf(err)
	if f.code != codes.ResourceExhausted {
		t.Fatalf("an argument of %d bytes: %s", huge, describe(err))
	}
	overLimit(t, f, huge, huge-1)
	if want := "batch.commands[1].args[2]"; f.metadata["field"] != want {
		t.Errorf("field %q, want %q", f.metadata["field"], want)
	}
}

func TestAcceptance127_ReplyLimit(t *testing.T) {
	const limit = 64 << 10
	// On the wire the reply is $<length>\r\n<bytes>\r\n.
	fits := limit - len("$65527\r\n") - len("\r\n")
	runMatrix(t, "SC", "P", []string{"--max-reply-bytes", "64KiB"}, func(t *testing.T, e *env) {
		small, large := e.k("small"), e.k("large")
		e.owner(t, small).MustDo(t, "SET", small, strings.Repeat("x", fits))
		e.owner(t, small).MustDo(t, "SET", large, strings.Repeat("x", fits+1))
		e.must(t, pipeline(cmd("GET", small)))
		overLimit(t, e.fail(t, pipeline(cmd("GET", large)), codes.ResourceExhausted), limit+1, limit)

		// Many small ones add up, over all nodes.
		var gets []*valkeybatchv1.Command
		for i := range 60 {
			k := e.tag[1:len(e.tag)-1] + strconv.Itoa(i)
			e.must(t, pipeline(cmd("SET", k, strings.Repeat("x", 2000))))
			gets = append(gets, cmd("GET", k))
		}
		f := e.fail(t, pipeline(gets...), codes.ResourceExhausted)
		if actual, err := strconv.Atoi(f.metadata["actual"]); err != nil || actual <= limit || f.metadata["allowed"] != strconv.Itoa(limit) {
			t.Errorf("figures %q", f.metadata)
		}
		e.must(t, pipeline(gets[:30]...))

		// A transaction is held to it too, and leaves its connection fit for the next.
		counter := e.k("counter")
		f = e.fail(t, atomicBatch(cmd("INCR", counter), cmd("GET", large), cmd("GET", large)), codes.ResourceExhausted)
		if f.metadata["allowed"] != strconv.Itoa(limit) {
			t.Errorf("figures %q", f.metadata)
		}
		e.want(t, atomicBatch(cmd("INCR", counter), cmd("STRLEN", small)), "2", strconv.Itoa(fits))
	})
}

// nested is a script that returns a number in as many arrays around each other.
func nested(depth int) *valkeybatchv1.Command {
	return cmd("EVAL", "return "+strings.Repeat("{", depth)+"1"+strings.Repeat("}", depth), "0")
}

func TestAcceptance127_NestingLimit(t *testing.T) {
	server := valkeytest.StartServer(t)
	s := serve(t, []string{server.Addr()}, "--max-reply-depth", "4")
	s.want(t, pipeline(nested(4)), "[[[[1]]]]")
	overLimit(t, s.fail(t, pipeline(nested(5)), codes.ResourceExhausted), 5, 4)
	s.fail(t, pipeline(nested(64)), codes.ResourceExhausted)
	s.want(t, pipeline(cmd("ECHO", "still")), `"still"`)
	// Within a transaction the depth is the reply's own too: EXEC's array is not the caller's.
	s.want(t, atomicBatch(nested(4)), "[[[[1]]]]")
	overLimit(t, s.fail(t, atomicBatch(nested(5)), codes.ResourceExhausted), 5, 4)
	s.want(t, atomicBatch(cmd("ECHO", "still")), `"still"`)
}

func TestAcceptance127_DefaultNesting(t *testing.T) {
	matrix(t, "S", "AP", func(t *testing.T, e *env) {
		e.want(t, e.batch(nested(32)), strings.Repeat("[", 32)+"1"+strings.Repeat("]", 32))
		overLimit(t, e.fail(t, e.batch(nested(33)), codes.ResourceExhausted), 33, 32)
	})
}

// The deepest reply that the default lets through is one that the generated client decodes,
// whatever it is made of: Protocol Buffers decoders stop at 100 levels, of which a map in a
// map takes three.
func TestAcceptance127_DeepestMap(t *testing.T) {
	matrix(t, "S", "AP", func(t *testing.T, e *env) {
		const depth = 32
		script := "redis.setresp(3); return " + strings.Repeat("{map={[1]=", depth) + "1" + strings.Repeat("}}", depth)
		e.want(t, e.batch(cmd("EVAL", script, "0")), strings.Repeat("{1: ", depth)+"1"+strings.Repeat("}", depth))
	})
}

// What a batch in flight holds counts against those that come while it is: its request's
// bytes, until it has ended.
func TestAcceptance127_InFlightBytes(t *testing.T) {
	const limit = 64 << 10
	flags := []string{"--max-request-bytes", "64KiB", "--max-in-flight-bytes", "64KiB"}
	ownMatrix(t, "S", flags, func(t *testing.T, e *env) {
		holding := pipeline(cmd("BLPOP", "list", "30"), cmd("SET", "big", strings.Repeat("x", limit/2))).within(false, patience)
		ended := make(chan error, 1)
		go func() {
			_, err := e.send(holding)
			ended <- err
		}()
		awaitBlocked(t, e.server, "1")

		small := pipeline(cmd("SET", "small", strings.Repeat("x", limit/4)))
		e.must(t, small)
		over := pipeline(cmd("SET", "over", strings.Repeat("x", limit/2)))
		f := e.fail(t, over, codes.ResourceExhausted)
		f.wantMetadata(t, map[string]string{
			"limit":   "request bytes in flight",
			"actual":  strconv.Itoa(encoded(holding) + encoded(over)),
			"allowed": strconv.Itoa(limit),
		})
		if f.reason != "OVERLOADED" || !f.retry {
			t.Errorf("reason %s, RetryInfo %v", f.reason, f.retry)
		}
		e.server.MustDo(t, "RPUSH", "list", "x")
		if err := <-ended; err != nil {
			t.Errorf("the batch that was in flight: %s", describe(err))
		}
		e.want(t, over, "OK")
	})
}
