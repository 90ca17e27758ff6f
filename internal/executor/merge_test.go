package executor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/command"
)

// good and bad make parts of replies and errors; n names the node.
func good(n, reply string) part { return part{node: n, reply: []byte(reply), done: true} }

func bad(n, code string, o Outcome) part {
	return part{node: n, err: &CommandError{Code: code, Message: code + " text", Outcome: o, Node: n}, done: true}
}

func TestAcceptance108_MergeRules(t *testing.T) {
	tests := []struct {
		name   string
		policy command.ResponsePolicy
		order  []int32
		parts  []part
		want   string
		code   string
	}{
		{name: "sum", policy: command.Sum, parts: []part{good("a", ":1\r\n"), good("b", ":41\r\n")}, want: ":42\r\n"},
		{name: "sum of a string", policy: command.Sum, parts: []part{good("a", ":1\r\n"), good("b", "+OK\r\n")}, code: CodeReply},
		{name: "sum of a string first", policy: command.Sum, parts: []part{good("b", "+OK\r\n"), good("a", ":1\r\n")}, code: CodeReply},
		{name: "min", policy: command.Min, parts: []part{good("a", ":3\r\n"), good("b", ":2\r\n")}, want: ":2\r\n"},
		{name: "min of arrays", policy: command.Min, parts: []part{good("a", "*2\r\n:3\r\n:0\r\n"), good("b", "*2\r\n:2\r\n:5\r\n")}, want: "*2\r\n:2\r\n:0\r\n"},
		{name: "max", policy: command.Max, parts: []part{good("a", ":3\r\n"), good("b", ":2\r\n")}, want: ":3\r\n"},
		{name: "and", policy: command.LogicalAnd, parts: []part{good("a", "*2\r\n:1\r\n:1\r\n"), good("b", "*2\r\n:1\r\n:0\r\n")}, want: "*2\r\n:1\r\n:0\r\n"},
		{name: "and of arrays of other lengths", policy: command.LogicalAnd, parts: []part{good("a", "*1\r\n:1\r\n"), good("b", "*2\r\n:1\r\n:0\r\n")}, code: CodeReply},
		{name: "and of a shorter array", policy: command.LogicalAnd, parts: []part{good("a", "*2\r\n:1\r\n:0\r\n"), good("b", "*1\r\n:1\r\n")}, code: CodeReply},
		{name: "or", policy: command.LogicalOr, parts: []part{good("a", ":0\r\n"), good("b", ":1\r\n")}, want: ":1\r\n"},
		{name: "concat", policy: command.Concat, parts: []part{good("a", "*1\r\n$1\r\nx\r\n"), good("b", "*0\r\n"), good("c", "*1\r\n$1\r\ny\r\n")}, want: "*2\r\n$1\r\nx\r\n$1\r\ny\r\n"},
		{name: "concat of sets", policy: command.Concat, parts: []part{good("a", "~1\r\n:1\r\n"), good("b", "~1\r\n:2\r\n")}, want: "~2\r\n:1\r\n:2\r\n"},
		{name: "concat of what is no array", policy: command.Concat, parts: []part{good("a", "+A\r\n"), good("b", "+B\r\n")}, want: "%2\r\n$1\r\na\r\n+A\r\n$1\r\nb\r\n+B\r\n"},
		{name: "by node", policy: command.ByNode, parts: []part{good("a", ":1\r\n"), good("b", ":2\r\n")}, want: "%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n"},
		{name: "by node, one node", policy: command.ByNode, parts: []part{good("a", ":1\r\n")}, want: "%1\r\n$1\r\na\r\n:1\r\n"},
		{name: "sum of maps", policy: command.SumMap, parts: []part{good("a", "*4\r\n$1\r\nx\r\n:1\r\n$1\r\ny\r\n:0\r\n"), good("b", "*4\r\n$1\r\nx\r\n:2\r\n$1\r\ny\r\n:5\r\n")}, want: "*4\r\n$1\r\nx\r\n:3\r\n$1\r\ny\r\n:5\r\n"},
		{name: "sum of real maps", policy: command.SumMap, parts: []part{good("a", "%1\r\n$1\r\nx\r\n:1\r\n"), good("b", "%1\r\n$1\r\nx\r\n:2\r\n")}, want: "%1\r\n$1\r\nx\r\n:3\r\n"},
		{name: "all succeeded", policy: command.AllSucceeded, parts: []part{good("a", "+OK\r\n"), good("b", "+OK\r\n")}, want: "+OK\r\n"},
		{name: "all succeeded but one", policy: command.AllSucceeded, parts: []part{good("a", "+OK\r\n"), bad("b", "OOM", NotExecuted)}, code: "OOM"},
		{name: "one succeeded", policy: command.OneSucceeded, parts: []part{bad("a", "NOTBUSY", Failed), good("b", "+OK\r\n")}, want: "+OK\r\n"},
		{name: "none succeeded", policy: command.OneSucceeded, parts: []part{bad("a", "NOTBUSY", Failed), bad("b", "NOTBUSY", Failed)}, code: "NOTBUSY"},
		{name: "first non-null", policy: command.FirstNonNull, parts: []part{good("a", "_\r\n"), good("b", "$1\r\nx\r\n")}, want: "$1\r\nx\r\n"},
		{name: "all null", policy: command.FirstNonNull, parts: []part{good("a", "_\r\n"), good("b", "_\r\n")}, want: "_\r\n"},
		{name: "null and an error", policy: command.FirstNonNull, parts: []part{good("a", "_\r\n"), bad("b", "CONNECTION", NotExecuted)}, code: "CONNECTION"},
		{name: "key order", policy: command.KeyOrder, order: []int32{1, 0, 1}, parts: []part{good("a", "*1\r\n$1\r\n2\r\n"), good("b", "*2\r\n$1\r\n1\r\n_\r\n")}, want: "*3\r\n$1\r\n1\r\n$1\r\n2\r\n_\r\n"},
		{name: "key order, an element short", policy: command.KeyOrder, order: []int32{0, 0, 1}, parts: []part{good("a", "*1\r\n:1\r\n"), good("b", "*1\r\n:1\r\n")}, code: CodeReply},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := merge{policy: tt.policy, parts: len(tt.parts), order: tt.order}.merge(tt.parts)
			if got.Err != nil {
				if got.Err.Code != tt.code {
					t.Fatalf("error %q (%s), want %q", got.Err.Code, got.Err.Message, tt.code)
				}
				return
			}
			if diff := cmp.Diff(tt.want, string(got.Frame)); diff != "" || tt.code != "" {
				t.Errorf("want code %q, frame (-want +got):\n%s", tt.code, diff)
			}
		})
	}
}

func TestPartialOutcome(t *testing.T) {
	tests := []struct {
		name  string
		parts []part
		want  Outcome
	}{
		{"nothing ran", []part{bad("a", "CONNECTION", NotExecuted), bad("b", "CONNECTION", NotExecuted)}, NotExecuted},
		{"one part ran", []part{bad("a", "CONNECTION", NotExecuted), good("b", ":1\r\n")}, Failed},
		{"one part is unknown", []part{bad("a", "CONNECTION", NotExecuted), bad("b", "CONNECTION", Unknown)}, Unknown},
		{"one part failed", []part{bad("a", "CONNECTION", NotExecuted), bad("b", "WRONGTYPE", Failed)}, Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := merge{policy: command.Sum, parts: len(tt.parts)}.merge(tt.parts)
			if got.Err == nil || got.Err.Outcome != tt.want {
				t.Errorf("merge = %+v, want outcome %d", got.Err, tt.want)
			}
			if tt.parts[0].err.Outcome != NotExecuted {
				t.Error("merging changed the part's own error")
			}
		})
	}
}
