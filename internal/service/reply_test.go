package service

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

type value = valkeybatchv1.Value

func null() *value         { return &value{Kind: &valkeybatchv1.Value_NullValue{NullValue: true}} }
func text(s string) *value { return &value{Kind: &valkeybatchv1.Value_StringValue{StringValue: s}} }
func raw(s string) *value {
	return &value{Kind: &valkeybatchv1.Value_BytesValue{BytesValue: []byte(s)}}
}
func integer(n int64) *value  { return &value{Kind: &valkeybatchv1.Value_IntegerValue{IntegerValue: n}} }
func double(f float64) *value { return &value{Kind: &valkeybatchv1.Value_DoubleValue{DoubleValue: f}} }
func boolean(b bool) *value   { return &value{Kind: &valkeybatchv1.Value_BooleanValue{BooleanValue: b}} }
func bigNumber(s string) *value {
	return &value{Kind: &valkeybatchv1.Value_BigNumberValue{BigNumberValue: s}}
}
func array(v ...*value) *value {
	return &value{Kind: &valkeybatchv1.Value_ArrayValue{ArrayValue: &valkeybatchv1.ArrayValue{Elements: v}}}
}
func set(v ...*value) *value {
	return &value{Kind: &valkeybatchv1.Value_SetValue{SetValue: &valkeybatchv1.SetValue{Members: v}}}
}
func entries(v ...*value) *value {
	m := &valkeybatchv1.MapValue{}
	for i := 0; i < len(v); i += 2 {
		m.Entries = append(m.Entries, &valkeybatchv1.MapValue_Entry{Key: v[i], Value: v[i+1]})
	}
	return &value{Kind: &valkeybatchv1.Value_MapValue{MapValue: m}}
}
func verbatimValue(format, data string) *value {
	return &value{Kind: &valkeybatchv1.Value_VerbatimValue{
		VerbatimValue: &valkeybatchv1.VerbatimString{Format: format, Data: []byte(data)}}}
}
func failed(code, message string) *value {
	return &value{Kind: &valkeybatchv1.Value_ErrorValue{ErrorValue: &valkeybatchv1.CommandError{
		Code: code, Message: message, Outcome: valkeybatchv1.Outcome_OUTCOME_FAILED, Node: "n:1"}}}
}

func translate(frame string, asText bool) *value {
	out := &value{}
	translator{text: asText, node: "n:1"}.reply(out, resp.Frame(frame))
	return out
}

func TestReply(t *testing.T) {
	for name, test := range map[string]struct {
		frame string
		want  *value // for a binary command
		text  *value // for a text command; nil: the same
	}{
		"simple":                {"+OK\r\n", text("OK"), nil},
		"empty simple":          {"+\r\n", text(""), nil},
		"simple, bad UTF-8":     {"+a\xffb\r\n", raw("a\xffb"), nil},
		"bulk":                  {"$3\r\nabc\r\n", raw("abc"), text("abc")},
		"empty bulk":            {"$0\r\n\r\n", raw(""), text("")},
		"bulk, UTF-8":           {"$6\r\ngrüß\r\n", raw("grüß"), text("grüß")},
		"bulk, bad UTF-8":       {"$2\r\n\xc3(\r\n", raw("\xc3("), raw("\xc3(")},
		"bulk with CRLF":        {"$4\r\n\r\n\r\n\r\n", raw("\r\n\r\n"), text("\r\n\r\n")},
		"null":                  {"_\r\n", null(), nil},
		"null bulk":             {"$-1\r\n", null(), nil},
		"null array":            {"*-1\r\n", null(), nil},
		"zero":                  {":0\r\n", integer(0), nil},
		"lowest integer":        {":-9223372036854775808\r\n", integer(math.MinInt64), nil},
		"highest integer":       {":9223372036854775807\r\n", integer(math.MaxInt64), nil},
		"double":                {",3.14\r\n", double(3.14), nil},
		"whole double":          {",10\r\n", double(10), nil},
		"double with exponent":  {",1.5e-300\r\n", double(1.5e-300), nil},
		"infinity":              {",inf\r\n", double(math.Inf(1)), nil},
		"negative infinity":     {",-inf\r\n", double(math.Inf(-1)), nil},
		"not a number":          {",nan\r\n", double(math.NaN()), nil},
		"true":                  {"#t\r\n", boolean(true), nil},
		"false":                 {"#f\r\n", boolean(false), nil},
		"big number":            {"(-12345678901234567890123\r\n", bigNumber("-12345678901234567890123"), nil},
		"verbatim":              {"=8\r\ntxt:some\r\n", verbatimValue("txt", "some"), nil},
		"empty verbatim":        {"=4\r\nmkd:\r\n", verbatimValue("mkd", ""), nil},
		"verbatim, bad UTF-8":   {"=6\r\ntxt:\xff\xfe\r\n", verbatimValue("txt", "\xff\xfe"), nil},
		"empty array":           {"*0\r\n", array(), nil},
		"array":                 {"*3\r\n:1\r\n$1\r\nb\r\n_\r\n", array(integer(1), raw("b"), null()), array(integer(1), text("b"), null())},
		"nested array":          {"*1\r\n*1\r\n*0\r\n", array(array(array())), nil},
		"set":                   {"~2\r\n+a\r\n+b\r\n", set(text("a"), text("b")), nil},
		"empty set":             {"~0\r\n", set(), nil},
		"map, order kept":       {"%2\r\n+z\r\n:1\r\n+a\r\n:2\r\n", entries(text("z"), integer(1), text("a"), integer(2)), nil},
		"map, keys of any kind": {"%2\r\n*1\r\n:1\r\n_\r\n,1.5\r\n%0\r\n", entries(array(integer(1)), null(), double(1.5), entries()), nil},
		"empty map":             {"%0\r\n", entries(), nil},
		"attribute skipped":     {"|1\r\n+ttl\r\n:1\r\n+OK\r\n", text("OK"), nil},
		"attribute in array":    {"*2\r\n:1\r\n|1\r\n+a\r\n*1\r\n+b\r\n:2\r\n", array(integer(1), integer(2)), nil},
		"error in array":        {"*2\r\n-WRONGTYPE no\r\n:1\r\n", array(failed("WRONGTYPE", "WRONGTYPE no"), integer(1)), nil},
		"bulk error in array":   {"*1\r\n!9\r\nOOPS a\r\nb\r\n", array(failed("OOPS", "OOPS a\r\nb")), nil},
		"error without a code":  {"*1\r\n-no such thing\r\n", array(failed("ERR", "no such thing")), nil},
		"error, bad UTF-8":      {"*1\r\n-ERR \xff\r\n", array(failed("ERR", "ERR \uFFFD")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, form := range []struct {
				asText bool
				want   *value
			}{{false, test.want}, {true, test.text}} {
				if form.want == nil {
					form.want = test.want
				}
				got := translate(test.frame, form.asText)
				if diff := cmp.Diff(form.want, got, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
					t.Errorf("text %v: %s", form.asText, diff)
				}
				if _, err := proto.Marshal(got); err != nil {
					t.Errorf("text %v: %v", form.asText, err)
				}
			}
		})
	}
}

// TestMalformedReply checks that a reply that cannot be read becomes an error in place, never
// a failure of the whole response.
func TestMalformedReply(t *testing.T) {
	deep := strings.Repeat("*1\r\n", maxDepth+2) + ":1\r\n"
	for _, frame := range []string{
		"", "?\r\n", ":1", ":x\r\n", ",x\r\n", "$5\r\nabc\r\n", "*2\r\n:1\r\n", "*1000000000\r\n:1\r\n",
		"%1000000000\r\n:1\r\n:2\r\n", "+a\r\n+b\r\n", deep,
	} {
		got := translate(frame, false)
		if got.GetErrorValue().GetCode() != CodeProtocol || got.GetErrorValue().GetNode() != "n:1" {
			t.Errorf("%.40q: got %v", frame, got)
		}
	}
}

func TestNewResponse(t *testing.T) {
	commands := []*valkeybatchv1.Command{
		{Args: [][]byte{[]byte("GET")}},
		{TextArgs: []string{"GET"}},
		{TextArgs: []string{"GET"}},
		{TextArgs: []string{"X"}},
	}
	got := newResponse(commands, &executor.Results{Failed: 1, Results: []executor.Result{
		{Frame: resp.Frame("$1\r\na\r\n")},
		{Frame: resp.Frame("$1\r\na\r\n")},
		{Err: &executor.CommandError{Code: executor.CodeConnection, Message: "lost \xff", Outcome: executor.Unknown, Node: "a:1"}},
		{Frame: resp.Frame("*1\r\n-ERR x\r\n"), Node: "b:2"},
	}})
	want := &valkeybatchv1.ExecuteBatchResponse{
		FailedCount: 1,
		Results: []*value{
			raw("a"),
			text("a"),
			{Kind: &valkeybatchv1.Value_ErrorValue{ErrorValue: &valkeybatchv1.CommandError{
				Code: "CONNECTION", Message: "lost \uFFFD", Outcome: valkeybatchv1.Outcome_OUTCOME_UNKNOWN, Node: "a:1"}}},
			array(&value{Kind: &valkeybatchv1.Value_ErrorValue{ErrorValue: &valkeybatchv1.CommandError{
				Code: "ERR", Message: "ERR x", Outcome: valkeybatchv1.Outcome_OUTCOME_FAILED, Node: "b:2"}}}),
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&valkeybatchv1.ExecuteBatchResponse{}, newResponse(nil, &executor.Results{}), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

// TestOutcomes holds the executor's numbers to the contract's.
func TestOutcomes(t *testing.T) {
	for o, want := range map[executor.Outcome]valkeybatchv1.Outcome{
		executor.NotExecuted: valkeybatchv1.Outcome_OUTCOME_NOT_EXECUTED,
		executor.Failed:      valkeybatchv1.Outcome_OUTCOME_FAILED,
		executor.Unknown:     valkeybatchv1.Outcome_OUTCOME_UNKNOWN,
	} {
		if valkeybatchv1.Outcome(o) != want {
			t.Errorf("%d is %v, want %v", o, valkeybatchv1.Outcome(o), want)
		}
	}
}

// FuzzReply checks that no bytes make the translation panic, leave a value without a kind, or
// make a response that cannot be sent.
func FuzzReply(f *testing.F) {
	for _, frame := range []string{
		"+OK\r\n", "$3\r\nabc\r\n", "*2\r\n%1\r\n+a\r\n~1\r\n,inf\r\n!5\r\nERR x\r\n", "=8\r\ntxt:some\r\n",
		"|1\r\n+a\r\n:1\r\n#t\r\n", "(123\r\n", "*-1\r\n", "*1\r\n-\xff\r\n", "=3\r\nabc\r\n", ",-nan\r\n",
	} {
		f.Add([]byte(frame), true)
		f.Add([]byte(frame), false)
	}
	f.Fuzz(func(t *testing.T, frame []byte, asText bool) {
		got := &value{}
		translator{text: asText}.reply(got, frame)
		if got.Kind == nil {
			t.Fatal("no kind")
		}
		if _, err := proto.Marshal(got); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkNewResponse(b *testing.B) {
	results := &executor.Results{}
	commands := make([]*valkeybatchv1.Command, 1000)
	for i := range commands {
		commands[i] = &valkeybatchv1.Command{}
		results.Results = append(results.Results, executor.Result{Frame: resp.Frame(fmt.Sprintf("$16\r\nvalue-%010d\r\n", i))})
	}
	b.ReportAllocs()
	for b.Loop() {
		newResponse(commands, results)
	}
}
