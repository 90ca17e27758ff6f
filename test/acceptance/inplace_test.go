package acceptance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"

func TestAcceptance052_ErrorAtItsIndexOnly(t *testing.T) {
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		batch := func() request {
			return e.batch(cmd("SET", e.k("s"), "v"), cmd("GET", e.k("s")), cmd("LLEN", e.k("s")), cmd("GET", e.k("s")))
		}
		e.want(t, batch(), "OK", `"v"`, "!"+wrongType, `"v"`)
		f := e.fail(t, batch().raise(), codes.FailedPrecondition)
		f.wantMetadata(t, map[string]string{
			"index": "2", "command": "llen", "code": "WRONGTYPE", "outcome": "OUTCOME_FAILED",
			"failed_count": "1", "node": e.owner(t, e.k("s")).Addr(),
		})
	})
}

func TestAcceptance053_IncrOnTextLeavesNeighboursAlone(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		r := e.batch(cmd("SET", e.k("s"), "text"), cmd("INCR", e.k("s")), cmd("INCR", e.k("n")), cmd("GET", e.k("s")))
		e.want(t, r, "OK", "!ERR value is not an integer or out of range", "1", `"text"`)
		values := e.must(t, r)
		wantCommandError(t, values[1], "ERR", "ERR value is not an integer or out of range", ran, e.owner(t, e.k("s")).Addr())
	})
}

func TestAcceptance054_QueueTimeErrorDiscardsTheTransaction(t *testing.T) {
	matrix(t, "SC", "A", func(t *testing.T, e *env) {
		batch := func() request {
			bad := cmd("INCR", e.k("n"), "extra")
			return atomicBatch(cmd("SET", e.k("s"), "v"), cmd("INCR", e.k("n")), bad, cmd("GET", e.k("s")), bad)
		}
		for _, r := range []request{batch(), batch().raise()} {
			f := e.fail(t, r, codes.InvalidArgument)
			if !strings.Contains(f.message, "ERR wrong number of arguments for 'incr' command") {
				t.Errorf("message %q", f.message)
			}
			f.wantMetadata(t, map[string]string{
				"transaction": "EXECABORT", "index": "2", "command": "incr", "code": "ERR",
				"outcome": "OUTCOME_NOT_EXECUTED", "failed_count": "2", "node": e.owner(t, e.k("s")).Addr(),
			})
		}
		e.want(t, pipeline(cmd("EXISTS", e.k("s"), e.k("n"))), "0")
	})
}

// No node is asked to queue a command that the deployment does not know.
func TestAcceptance054_UnknownCommandDiscardsTheTransaction(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		const says = "ERR unknown command 'nosuchcommand'"
		r := e.batch(cmd("SET", e.k("s"), "v"), cmd("NOSUCHCOMMAND", e.k("n")), cmd("DEL", e.k("s")))
		if !e.isAtomic {
			e.want(t, r, "OK", "!"+says, "1")
			wantCommandError(t, e.must(t, r)[1], "ERR", says, notExecuted, "")
			return
		}
		f := e.fail(t, r, codes.InvalidArgument)
		if !strings.Contains(f.message, says) {
			t.Errorf("message %q", f.message)
		}
		f.wantMetadata(t, map[string]string{"transaction": "EXECABORT", "index": "1", "command": "nosuchcommand",
			"code": "ERR", "outcome": "OUTCOME_NOT_EXECUTED", "failed_count": "1"})
		e.want(t, pipeline(cmd("EXISTS", e.k("s"))), "0")
	})
}

func TestAcceptance054_QueueTimeErrorsMapByTheirPrefix(t *testing.T) {
	server := valkeytest.StartServer(t)
	server.MustDo(t, "ACL", "SETUSER", "caller", "on", ">secret", "~*", "&*", "+@all", "-incr")
	s := serve(t, []string{server.Addr()}, "--valkey-username", "caller", "--valkey-password", "secret")

	// NOPERM, at queue time and in a pipeline.
	refusal := "NOPERM User caller has no permissions to run the 'incr' command"
	f := s.fail(t, atomicBatch(cmd("SET", "k", "v"), cmd("INCR", "n")), codes.PermissionDenied)
	f.wantMetadata(t, map[string]string{"transaction": "EXECABORT", "index": "1", "code": "NOPERM", "outcome": "OUTCOME_NOT_EXECUTED"})
	s.want(t, pipeline(cmd("EXISTS", "k"), cmd("INCR", "n")), "0", "!"+refusal)
	values := s.must(t, pipeline(cmd("INCR", "n")))
	wantCommandError(t, values[0], "NOPERM", refusal, notExecuted, server.Addr())
	s.fail(t, pipeline(cmd("INCR", "n")).raise(), codes.PermissionDenied)

	// OOM likewise.
	server.MustDo(t, "CONFIG", "SET", "maxmemory", "1")
	f = s.fail(t, atomicBatch(cmd("GET", "k"), cmd("SET", "k", "v")), codes.ResourceExhausted)
	f.wantMetadata(t, map[string]string{"transaction": "EXECABORT", "index": "1", "code": "OOM", "outcome": "OUTCOME_NOT_EXECUTED"})
	f = s.fail(t, pipeline(cmd("GET", "k"), cmd("SET", "k", "v")).raise(), codes.ResourceExhausted)
	f.wantMetadata(t, map[string]string{"index": "1", "code": "OOM", "outcome": "OUTCOME_NOT_EXECUTED"})
}

func TestAcceptance051_RaisedCodeGoesByThePrefix(t *testing.T) {
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		for name, c := range map[string]struct {
			bad    []string
			code   codes.Code
			prefix string
			only   byte
		}{
			"WRONGTYPE":       {[]string{"LPOP", e.k("s")}, codes.FailedPrecondition, "WRONGTYPE", 0},
			"not an integer":  {[]string{"INCR", e.k("s")}, codes.FailedPrecondition, "ERR", 0},
			"BUSYGROUP":       {[]string{"XGROUP", "CREATE", e.k("stream"), "g", "$", "MKSTREAM"}, codes.FailedPrecondition, "BUSYGROUP", 0},
			"NOSCRIPT":        {[]string{"EVALSHA", strings.Repeat("0", 40), "0"}, codes.NotFound, "NOSCRIPT", 0},
			"syntax":          {[]string{"SET", e.k("s"), "v", "BAD"}, codes.InvalidArgument, "ERR", 0},
			"arity":           {[]string{"GET"}, codes.InvalidArgument, "ERR", 0},
			"unknown command": {[]string{"NOSUCHCOMMAND"}, codes.InvalidArgument, "ERR", 0},
			"CROSSSLOT":       {[]string{"RENAME", "a", "b"}, codes.InvalidArgument, "CROSSSLOT", 'C'},
		} {
			if c.only == 'C' && !e.isCluster {
				continue
			}
			t.Run(name, func(t *testing.T) {
				e.must(t, pipeline(cmd("SET", e.k("s"), "v"), cmd("XGROUP", "CREATE", e.k("stream"), "g", "$", "MKSTREAM")))
				f := e.fail(t, pipeline(cmd("GET", e.k("s")), cmd(c.bad...)).raise(), c.code)
				f.wantMetadata(t, map[string]string{"index": "1", "code": c.prefix, "failed_count": "1"})
			})
		}
	})
}

// READONLY is what passes: UNAVAILABLE, which callers and proxies retry blindly, only where
// certainly nothing of the batch ran, ABORTED otherwise.
func TestAcceptance051_PassingConditionIsUnavailableOnlyWhenNothingRan(t *testing.T) {
	first, second := valkeytest.StartServer(t), valkeytest.StartServer(t)
	s := serve(t, []string{second.Addr()})
	second.MustDo(t, "REPLICAOF", "127.0.0.1", number(first.Port()))

	f := s.fail(t, pipeline(cmd("SET", "k", "v"), cmd("DEL", "k")).raise(), codes.Unavailable)
	f.wantMetadata(t, map[string]string{"index": "0", "code": "READONLY", "outcome": "OUTCOME_NOT_EXECUTED", "failed_count": "2", "node": second.Addr()})
	if !f.retry {
		t.Error("UNAVAILABLE without RetryInfo")
	}
	f = s.fail(t, pipeline(cmd("ECHO", "x"), cmd("SET", "k", "v")).raise(), codes.Aborted)
	f.wantMetadata(t, map[string]string{"index": "1", "code": "READONLY", "outcome": "OUTCOME_NOT_EXECUTED", "failed_count": "1"})
	f = s.fail(t, atomicBatch(cmd("ECHO", "x"), cmd("SET", "k", "v")), codes.Unavailable)
	f.wantMetadata(t, map[string]string{"transaction": "EXECABORT", "index": "1", "code": "READONLY", "outcome": "OUTCOME_NOT_EXECUTED"})
}

func TestAcceptance062_MSETWithoutArguments(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		const says = "ERR wrong number of arguments for 'mset' command"
		r := e.batch(cmd("SET", e.k("s"), "v"), cmd("MSET"), cmd("GET", e.k("s")))
		if !e.isAtomic {
			e.want(t, r, "OK", "!"+says, `"v"`)
			if got := e.must(t, r)[1].GetErrorValue().GetOutcome(); got != notExecuted {
				t.Errorf("outcome %v", got)
			}
			return
		}
		f := e.fail(t, r, codes.InvalidArgument)
		if !strings.Contains(f.message, says) {
			t.Errorf("message %q", f.message)
		}
		e.want(t, pipeline(cmd("EXISTS", e.k("s"))), "0")
	})
}

// The node of the lower index is held up, so that the higher index's error is there first.
func TestAcceptance122_LowestIndexIsRaisedWhicheverAnswersFirst(t *testing.T) {
	matrix(t, "C", "P", func(t *testing.T, e *env) {
		nodes := e.nodes.Primaries()
		slow := e.nodes.KeyFor(t, nodes[0], e.tag)
		quick := e.nodes.KeyFor(t, nodes[1], e.tag)
		e.must(t, pipeline(cmd("SET", slow, "v"), cmd("SET", quick, "v")))
		batch := pipeline(cmd("GET", quick), cmd("LPOP", slow), cmd("HLEN", quick), cmd("SADD", quick, "m"), cmd("GET", slow))

		sleeper := nodes[0].Dial(t)
		sleeper.Send(t, "DEBUG", "SLEEP", "0.3")
		f := e.fail(t, batch.raise(), codes.FailedPrecondition)
		f.wantMetadata(t, map[string]string{
			"index": "1", "command": "lpop", "code": "WRONGTYPE", "node": nodes[0].Addr(), "failed_count": "3",
		})
		sleeper.Receive(t)
	})
}
