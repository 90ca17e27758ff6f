package acceptance

import (
	"fmt"
	"strconv"
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

func TestAcceptance001_SetGetDel(t *testing.T) {
	matrix(t, "SC", "A", func(t *testing.T, e *env) {
		e.want(t, e.batch(cmd("SET", e.k("k"), "value"), cmd("GET", e.k("k")), cmd("DEL", e.k("k"))),
			"OK", `"value"`, "1")
	})
}

func TestAcceptance002_HashSetAndGet(t *testing.T) {
	matrix(t, "SC", "A", func(t *testing.T, e *env) {
		e.want(t, e.batch(cmd("HSET", e.k("h"), "foo", "bar"), cmd("HGET", e.k("h"), "foo")), "1", `"bar"`)
	})
}

func TestAcceptance003_PipelineInOrder(t *testing.T) {
	matrix(t, "S", "P", func(t *testing.T, e *env) {
		e.want(t, e.batch(
			cmd("SET", e.k("1"), "one"), cmd("SET", e.k("2"), "two"), cmd("GET", e.k("1")), cmd("GET", e.k("2")),
		), "OK", "OK", `"one"`, `"two"`)
	})
}

func TestAcceptance004_TwoHundredInOrder(t *testing.T) {
	// On a cluster too, with the keys spread over all nodes.
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		prefix := e.tag[1 : len(e.tag)-1]
		var commands []*valkeybatchv1.Command
		var want []string
		for i := range 100 {
			commands = append(commands, cmd("SET", fmt.Sprint(prefix, i), strconv.Itoa(i)))
			want = append(want, "OK")
		}
		for i := range 100 {
			commands = append(commands, cmd("GET", fmt.Sprint(prefix, i)))
			want = append(want, strconv.Quote(strconv.Itoa(i)))
		}
		e.want(t, e.batch(commands...), want...)
	})
}

func TestAcceptance005_HundredPings(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		var commands []*valkeybatchv1.Command
		var want []string
		for i := range 100 {
			if i%2 == 0 {
				commands = append(commands, cmd("PING"))
				want = append(want, "PONG")
				continue
			}
			message := "message " + strconv.Itoa(i)
			commands = append(commands, cmd("PING", message))
			want = append(want, strconv.Quote(message))
		}
		e.want(t, e.batch(commands...), want...)
	})
}

func TestAcceptance012_EmptyBatches(t *testing.T) {
	matrix(t, "SC", "A", func(t *testing.T, e *env) {
		e.must(t, e.batch()) // as many results as commands: none
		f := e.fail(t, pipeline(), codes.InvalidArgument)
		if f.reason != "EMPTY_PIPELINE" || len(f.fields) != 1 || f.fields[0] != "batch.commands" {
			t.Errorf("reason %s, fields %q, want EMPTY_PIPELINE of batch.commands", f.reason, f.fields)
		}
	})
}

// Equal results in both modes, and equal effects: what a command sees is what those before it did.
func TestAcceptance015_OneSlotInBothModes(t *testing.T) {
	matrix(t, "C", "AP", func(t *testing.T, e *env) {
		e.group(t, []row{
			{"SET @a 1", "OK"},
			{"INCR @a", "2"},
			{"MGET @a @b", `["2" nil]`},
			{"MSET @b x @c y", "OK"},
			{"RENAME @b @d", "OK"},
			{"EXISTS @a @b @c @d", "3"},
			{"SADD @s x", "1"},
			{"SMEMBERS @s", `~{"x"}`},
			{"DEL @a @c @d @s", "4"},
		})
	})
}

// What the reference converts from RESP2 comes as the server's own RESP3 type: a map of
// HGETALL, an integer of HEXISTS, and of INCRBYFLOAT the bulk string that it is.
func TestAcceptance047_048_RESP3Types(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		e.group(t, []row{
			{"HSET @h bar vaz", "1"},
			{"HGETALL @h", `{"bar": "vaz"}`},
			{"HEXISTS @h bar", "1"},
			{"DEL @h", "1"},
			{"HGETALL @h", "{}"},
			{"SET @f 0", "OK"},
			{"INCRBYFLOAT @f 0.5", `"0.5"`},
		})
	})
}

func TestAcceptance049_FailedHGETALL(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		results := e.must(t, e.batch(cmd("SET", e.k("s"), "v"), cmd("HGETALL", e.k("s")), cmd("GET", e.k("s"))))
		if got := render(results[0]) + " " + render(results[2]); got != `OK "v"` {
			t.Errorf("the neighbours are %s", got)
		}
		got := results[1].GetErrorValue()
		if got.GetCode() != "WRONGTYPE" || got.GetOutcome() != valkeybatchv1.Outcome_OUTCOME_FAILED {
			t.Errorf("HGETALL of a string: %v", got)
		}
		if node := e.owner(t, e.k("s")).Addr(); got.GetNode() != node {
			t.Errorf("the error is of node %q, want %q", got.GetNode(), node)
		}
	})
}
