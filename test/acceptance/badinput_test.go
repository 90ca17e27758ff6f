package acceptance

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// badInput is a request that has to be refused before anything of it is sent.
type badInput struct {
	name string
	// only is the kind of deployment it is about, S or C; 0 is both.
	only    byte
	request func(e *env) request
	code    codes.Code
	reason  string
	// field is the path in BadRequest; <options> stands for the options that fit the
	// deployment. Empty: no BadRequest.
	field string
	// metadata are entries of ErrorInfo, says what the message holds.
	metadata map[string]string
	says     []string
}

func TestAcceptance123_124_BadInputIsRefusedAndNothingSent(t *testing.T) {
	ownMatrix(t, "SC", []string{"--topology-refresh", "1h"}, func(t *testing.T, e *env) {
		w := watchEnv(t, e)
		for _, c := range badInputs() {
			if c.only != 0 && (c.only == 'C') != e.isCluster {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				for _, raised := range []bool{false, true} {
					r := c.request(e)
					r.RaiseOnError = raised
					c.check(t, e, e.fail(t, r, c.code))
				}
			})
		}
		w.nothingSent(t)
	})
}

func (c badInput) check(t *testing.T, e *env, f failure) {
	t.Helper()
	field := strings.ReplaceAll(c.field, "<options>", optionsField(e.isCluster))
	if got := strings.Join(f.fields, " "); got != field {
		t.Errorf("BadRequest names %q, want %q", got, field)
	}
	if f.reason != c.reason {
		t.Errorf("reason %s, want %s", f.reason, c.reason)
	}
	f.wantMetadata(t, c.metadata)
	if !strings.HasPrefix(f.message, field) {
		t.Errorf("message %q does not begin with the field", f.message)
	}
	for _, s := range c.says {
		if !strings.Contains(f.message, s) {
			t.Errorf("message %q does not say %q", f.message, s)
		}
	}
	if f.retry {
		t.Error("RetryInfo with a request that can never be right")
	}
}

func optionsField(isCluster bool) string {
	if isCluster {
		return "cluster_options"
	}
	return "standalone_options"
}

// set is a good command, in the middle of which a bad one is looked for.
var set = cmd("SET", "k", "v")

// timeoutOf is a good pipeline with a timeout as it comes, valid or not.
func timeoutOf(e *env, seconds int64, nanos int32) request {
	r, d := pipeline(set), &durationpb.Duration{Seconds: seconds, Nanos: nanos}
	if e.isCluster {
		r.cluster().Timeout = d
	} else {
		r.standalone().Timeout = d
	}
	return r
}

// badInputs are bad requests of every kind.
func badInputs() []badInput {
	all := badBatches()
	all = append(all, badTimeouts()...)
	all = append(all, badRoutes()...)
	return append(all, badKinds()...)
}

func badBatches() []badInput {
	const invalid = codes.InvalidArgument
	both := &valkeybatchv1.Command{Args: [][]byte{[]byte("PING")}, TextArgs: []string{"PING"}}
	return []badInput{
		{"empty pipeline", 0, func(*env) request { return pipeline() },
			invalid, "EMPTY_PIPELINE", "batch.commands", nil, []string{"at least one command"}},
		{"no batch", 0, func(*env) request { return request{&valkeybatchv1.ExecuteBatchRequest{}} },
			invalid, "EMPTY_PIPELINE", "batch.commands", nil, nil},
		{"empty command", 0, func(*env) request { return pipeline(set, &valkeybatchv1.Command{}, set) },
			invalid, "EMPTY_COMMAND", "batch.commands[1]", nil, []string{"args or text_args"}},
		{"empty command, atomic", 0, func(*env) request { return atomicBatch(set, set, &valkeybatchv1.Command{}) },
			invalid, "EMPTY_COMMAND", "batch.commands[2]", nil, nil},
		{"both argument forms", 0, func(*env) request { return pipeline(both) },
			invalid, "ARGUMENT_FORMS", "batch.commands[0]", nil, []string{"both"}},
		{"both argument forms, atomic", 0, func(*env) request { return atomicBatch(set, both) },
			invalid, "ARGUMENT_FORMS", "batch.commands[1]", nil, nil},
		{"empty name", 0, func(*env) request { return pipeline(set, cmd("", "k")) },
			invalid, "EMPTY_COMMAND_NAME", "batch.commands[1].args[0]", nil, nil},
		{"empty name, text", 0, func(*env) request { return pipeline(text("", "k")) },
			invalid, "EMPTY_COMMAND_NAME", "batch.commands[0].text_args[0]", nil, nil},

		{"refused command", 0, func(*env) request { return pipeline(set, cmd("Client", "reply", "off")) },
			invalid, "COMMAND_REFUSED", "batch.commands[1].args", map[string]string{"index": "1", "command": "client reply"}, []string{"client reply"}},
		{"refused command, text", 0, func(*env) request { return atomicBatch(set, set, text("MULTI")) },
			invalid, "COMMAND_REFUSED", "batch.commands[2].text_args", map[string]string{"index": "2", "command": "multi"}, []string{"is_atomic"}},
		{"denied command", 0, func(*env) request { return pipeline(set, cmd("FLUSHALL")) },
			invalid, "COMMAND_DENIED", "batch.commands[1].args", map[string]string{"index": "1", "command": "flushall"}, []string{"policy"}},
		{"denied command, text", 0, func(*env) request { return pipeline(text("config", "set", "maxmemory", "1")) },
			invalid, "COMMAND_DENIED", "batch.commands[0].text_args", map[string]string{"index": "0", "command": "config set"}, nil},
		{"the first of several mistakes", 0, func(*env) request { return pipeline(set, cmd("WATCH", "k"), cmd("MULTI")) },
			invalid, "COMMAND_REFUSED", "batch.commands[1].args", map[string]string{"index": "1"}, nil},

		{"SELECT on a cluster", 'C', func(*env) request { return pipeline(set, text("SELECT", "1")) },
			invalid, "COMMAND_REFUSED", "batch.commands[1].text_args", map[string]string{"index": "1", "command": "select"}, []string{"standalone"}},
		{"SCAN without a route", 'C', func(*env) request { return pipeline(set, cmd("SCAN", "0")) },
			invalid, "ROUTE_REQUIRED", "batch.commands[1].args", map[string]string{"index": "1", "command": "scan"}, []string{"route"}},
		{"cross-slot atomic", 'C', func(*env) request { return atomicBatch(cmd("GET", "a"), set, cmd("GET", "b")) },
			invalid, "CROSS_SLOT", "batch.commands[1].args",
			map[string]string{"index": "1", "slot": "7629", "first_index": "0", "first_slot": "15495"}, []string{"slot 7629", "slot 15495"}},
		{"cross-slot atomic, text", 'C', func(*env) request { return atomicBatch(cmd("GET", "a"), text("GET", "b")) },
			invalid, "CROSS_SLOT", "batch.commands[1].text_args",
			map[string]string{"index": "1", "slot": "3300", "first_index": "0", "first_slot": "15495"}, []string{"slot 3300", "slot 15495"}},

		{"atomic with a retry strategy", 0, func(e *env) request { return atomicBatch(set).retry(e.isCluster, true, true) },
			invalid, "RETRY_STRATEGY_WITH_ATOMIC", "<options>.retry_strategy", nil, nil},
		{"empty atomic with a retry strategy", 0, func(e *env) request { return atomicBatch().retry(e.isCluster, false, false) },
			invalid, "RETRY_STRATEGY_WITH_ATOMIC", "<options>.retry_strategy", nil, nil},
	}
}

func badTimeouts() []badInput {
	var all []badInput
	for _, c := range []struct {
		name    string
		seconds int64
		nanos   int32
		says    string
	}{
		{"zero", 0, 0, "is 0s"},
		{"a nanosecond too few", 0, -1, "is -0.000000001s"},
		{"negative", -3, 0, "is -3s"},
		{"negative with nanos", -3, -500_000_000, "is -3.500000000s"},
		{"mixed signs", 1, -1, "differ in sign"},
		{"nanos out of range", 0, 1_000_000_000, "1000000000 nanos"},
		{"seconds out of range", 315_576_000_001, 0, "315576000001 seconds"},
		{"least seconds", math.MinInt64, math.MinInt32, "-9223372036854775808 seconds"},
	} {
		all = append(all, badInput{"timeout: " + c.name, 0, func(e *env) request { return timeoutOf(e, c.seconds, c.nanos) },
			codes.InvalidArgument, "INVALID_TIMEOUT", "<options>.timeout",
			map[string]string{"seconds": fmt.Sprint(c.seconds), "nanos": fmt.Sprint(c.nanos)}, []string{c.says}})
	}
	return all
}

func badRoutes() []badInput {
	type (
		route   = valkeybatchv1.Route
		slotKey = valkeybatchv1.SlotKeyRoute
	)
	byKey := func(k *slotKey) *route { return &route{Kind: &valkeybatchv1.Route_SlotKey{SlotKey: k}} }
	var all []badInput
	for _, c := range []struct {
		name     string
		route    *route
		reason   string
		field    string
		metadata map[string]string
		says     string
	}{
		{"of no kind", &route{}, "INVALID_ROUTE", "", nil, "names no node"},
		{"slot id one over", slotRoute(16384, primary), "INVALID_ROUTE", ".slot_id.slot_id", map[string]string{"actual": "16384", "allowed": "16383"}, "slots are 0 to 16383"},
		{"slot id far over", &route{Kind: &valkeybatchv1.Route_SlotId{SlotId: &valkeybatchv1.SlotIdRoute{SlotId: math.MaxUint32}}},
			"INVALID_ROUTE", ".slot_id.slot_id", map[string]string{"actual": "4294967295", "allowed": "16383"}, "4294967295"},
		{"unknown slot type", slotRoute(1, 3), "INVALID_ROUTE", ".slot_id.slot_type", map[string]string{"actual": "3"}, "3 is unknown"},
		{"unknown slot type of a key", keyRoute("k", -1), "INVALID_ROUTE", ".slot_key.slot_type", map[string]string{"actual": "-1"}, "-1 is unknown"},
		{"no key", byKey(&slotKey{}), "INVALID_ROUTE", ".slot_key", nil, "neither"},
		{"both keys", byKey(&slotKey{Key: []byte("k"), TextKey: "k"}), "INVALID_ROUTE", ".slot_key", nil, "both"},
		{"no host", addressRoute("", 6379), "INVALID_ROUTE", ".by_address.host", nil, "required"},
		{"no port", addressRoute("127.0.0.1", 0), "INVALID_ROUTE", ".by_address.port", map[string]string{"actual": "0", "allowed": "65535"}, "1 to 65535"},
		{"port one over", addressRoute("127.0.0.1", 65536), "INVALID_ROUTE", ".by_address.port", map[string]string{"actual": "65536", "allowed": "65535"}, "65536"},
		{"port in the host", addressRoute("127.0.0.1:6379", 6379), "INVALID_ROUTE", ".by_address.host", nil, "holds a port"},
		{"no host name", addressRoute("a host", 6379), "INVALID_ROUTE", ".by_address.host", nil, "not a host name"},
		{"unknown node", addressRoute("127.0.0.1", 1), "ROUTE_NOT_FOUND", ".by_address", map[string]string{"address": "127.0.0.1:1"}, "127.0.0.1:1 is not a node"},
		{"a slot without replicas", slotRoute(16383, replica), "ROUTE_NOT_FOUND", "", map[string]string{"slot": "16383"}, "slot 16383 has no replica"},
	} {
		for mode, batch := range map[string]func(...*valkeybatchv1.Command) request{"pipeline": pipeline, "atomic": atomicBatch} {
			all = append(all, badInput{"route: " + c.name + ", " + mode, 'C', func(*env) request { return batch(set).route(c.route) },
				codes.InvalidArgument, c.reason, "cluster_options.route" + c.field, c.metadata, []string{c.says}})
		}
	}
	return all
}

// badKinds are options for the other kind of deployment.
func badKinds() []badInput {
	const code, reason = codes.FailedPrecondition, "WRONG_DEPLOYMENT"
	other := map[string]string{"options": "cluster", "deployment": "standalone"}
	reverse := map[string]string{"options": "standalone", "deployment": "cluster"}
	return []badInput{
		{"cluster options", 'S', func(*env) request { r := pipeline(set); r.cluster(); return r }, code, reason, "", other,
			[]string{"cluster_options", "standalone server"}},
		{"cluster options, atomic", 'S', func(*env) request { return atomicBatch(set).within(true, patience) }, code, reason, "", other, nil},
		{"a route", 'S', func(*env) request { return pipeline(set).route(randomRoute()) }, code, reason, "", other, nil},
		{"cluster options, empty atomic", 'S', func(*env) request { return atomicBatch().within(true, patience) }, code, reason, "", other, nil},
		{"standalone options", 'C', func(*env) request { r := pipeline(set); r.standalone(); return r }, code, reason, "", reverse,
			[]string{"standalone_options", "cluster"}},
		{"standalone options, atomic", 'C', func(*env) request { return atomicBatch(set).within(false, patience) }, code, reason, "", reverse, nil},
		{"a retry strategy", 'C', func(*env) request { return pipeline(set).retry(false, true, true) }, code, reason, "", reverse, nil},
	}
}

func TestAcceptance123_EmptyAtomicBatch(t *testing.T) {
	matrix(t, "SC", "A", func(t *testing.T, e *env) {
		nodes := []*valkeytest.Server{e.server}
		if e.isCluster {
			nodes = e.nodes.Primaries() // replicas hear late of what other tests did
		}
		w := watchNodes(t, nodes...)
		none := []string{}
		e.want(t, atomicBatch(), none...)
		e.want(t, atomicBatch().raise(), none...)
		e.want(t, atomicBatch().within(e.isCluster, patience), none...)
		w.nothingSent(t)
	})
}
