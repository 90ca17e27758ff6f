package wire

import (
	"bytes"
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
	"github.com/valkeybatch/valkeybatch/internal/node"
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

// respond encodes a response and returns its bytes, which must be what the generated code makes
// of what they say.
func respond(t testing.TB, batch *Batch, results *executor.Results) (*valkeybatchv1.ExecuteBatchResponse, []byte) {
	t.Helper()
	r := NewResponse(batch, results)
	size, failures := r.size, r.Failed
	data := r.take()
	encoded := data.Materialize()
	data.Free()
	if len(encoded) != size {
		t.Fatalf("%d bytes, said to be %d", len(encoded), size)
	}
	out := &valkeybatchv1.ExecuteBatchResponse{}
	if err := proto.Unmarshal(encoded, out); err != nil {
		t.Fatalf("%v: %x", err, encoded)
	}
	if int(out.GetFailedCount()) != failures {
		t.Fatalf("%d failed, said to be %d", out.GetFailedCount(), failures)
	}
	return out, encoded
}

// hold holds the encoding of results to the oracle's, byte by byte.
func hold(t testing.TB, commands []*valkeybatchv1.Command, results *executor.Results) *valkeybatchv1.ExecuteBatchResponse {
	t.Helper()
	got, encoded := respond(t, batchOf(t, commands), results)
	want, err := proto.Marshal(oracleResponse(commands, results))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded, want) {
		t.Fatalf("got  %x\nwant %x", encoded, want)
	}
	return got
}

// batchOf is the decoded form of these commands.
func batchOf(t testing.TB, commands []*valkeybatchv1.Command) *Batch {
	t.Helper()
	r := NewRequest(encode(t, &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{Commands: commands}}))
	t.Cleanup(r.Release)
	batch, err := r.Decode()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// form is a command in one of the two forms.
func form(asText bool) []*valkeybatchv1.Command {
	if asText {
		return []*valkeybatchv1.Command{{TextArgs: []string{"X"}}}
	}
	return []*valkeybatchv1.Command{{Args: [][]byte{[]byte("X")}}}
}

func translate(t testing.TB, frame string, asText bool) *value {
	t.Helper()
	return hold(t, form(asText), &executor.Results{Results: []executor.Result{{Frame: resp.Frame(frame), Node: "n:1"}}}).GetResults()[0]
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
				got := translate(t, test.frame, form.asText)
				if diff := cmp.Diff(form.want, got, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
					t.Errorf("text %v: %s", form.asText, diff)
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
		got := translate(t, frame, false)
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
	got := hold(t, commands, &executor.Results{Failed: 1, Results: []executor.Result{
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
	if diff := cmp.Diff(&valkeybatchv1.ExecuteBatchResponse{}, hold(t, nil, &executor.Results{}), protocmp.Transform()); diff != "" {
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
// make another response than the generated code makes.
func FuzzReply(f *testing.F) {
	for _, frame := range []string{
		"+OK\r\n", "$3\r\nabc\r\n", "*2\r\n%1\r\n+a\r\n~1\r\n,inf\r\n!5\r\nERR x\r\n", "=8\r\ntxt:some\r\n",
		"|1\r\n+a\r\n:1\r\n#t\r\n", "(123\r\n", "*-1\r\n", "*1\r\n-\xff\r\n", "=3\r\nabc\r\n", ",-nan\r\n",
	} {
		f.Add([]byte(frame), true)
		f.Add([]byte(frame), false)
	}
	f.Fuzz(func(t *testing.T, frame []byte, asText bool) {
		if translate(t, string(frame), asText).GetKind() == nil {
			t.Fatal("no kind")
		}
	})
}

// TestLargeStrings checks responses of many sizes: written in several buffers, and with strings
// that are sent from where they were received.
func TestLargeStrings(t *testing.T) {
	for _, n := range []int{0, 1, maxPlain - 1, maxPlain, maxPlain + 1, 127, 128, 129, 900, 1000, minLoan - 1, minLoan, maxSegment - 20, maxSegment - 1, maxSegment, maxSegment + 1, 300_000} {
		bulk := fmt.Sprintf("$%d\r\n%s\r\n", n, strings.Repeat("x", n))
		small := "$3\r\nabc\r\n"
		results := &executor.Results{}
		var commands []*valkeybatchv1.Command
		for i, frame := range []string{bulk, small, small, bulk, "*3\r\n" + bulk + small + bulk, "%1\r\n" + bulk + bulk, small, "=" + bulk[1:]} {
			if frame[0] == '=' {
				frame = fmt.Sprintf("=%d\r\ntxt:%s\r\n", n+4, strings.Repeat("y", n))
			}
			results.Results = append(results.Results, executor.Result{Frame: resp.Frame(frame)})
			commands = append(commands, form(i%2 == 0)...)
		}
		results.Results = append(results.Results, executor.Result{Err: &executor.CommandError{Code: "ERR", Message: strings.Repeat("z", n)}})
		hold(t, append(commands, form(true)...), results)
	}
}

// TestManyResults checks responses that take many buffers.
func TestManyResults(t *testing.T) {
	for _, n := range []int{10, 63, 64, 65, 1000, 20_000} {
		results := &executor.Results{}
		var commands []*valkeybatchv1.Command
		for i := range n {
			frame := fmt.Sprintf("$10\r\n%010d\r\n", i)
			if i%7 == 0 {
				frame = "*2\r\n:-1\r\n%1\r\n+a\r\n,1.5\r\n"
			}
			results.Results = append(results.Results, executor.Result{Frame: resp.Frame(frame)})
			commands = append(commands, form(i%3 == 0)...)
		}
		hold(t, commands, results)
	}
}

// TestLease checks that a batch's share of the reply bytes in flight ends with the last buffer
// of its response, however the response ends.
func TestLease(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "pooled": 5_000, "lent": 100_000} {
		t.Run(name, func(t *testing.T) {
			for _, end := range []func(*Response){
				(*Response).Free,
				func(r *Response) {
					data := r.take()
					for _, b := range data {
						b.Free()
					}
				},
			} {
				total := node.NewBudget(1 << 20)
				results := &executor.Results{Budget: node.NewBudget(1 << 20).Within(total)}
				if err := results.Budget.Spend(int64(size)); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					results.Results = append(results.Results, executor.Result{Frame: resp.Frame(fmt.Sprintf("$%d\r\n%s\r\n", size, strings.Repeat("x", size)))})
				}
				r := NewResponse(&Batch{}, results)
				if small := size == 10; (total.Used() == 0) != small {
					t.Errorf("%d bytes are in use while it is on its way", total.Used())
				}
				end(r)
				if total.Used() != 0 {
					t.Errorf("%d bytes are in use after it", total.Used())
				}
			}
		})
	}
}

func BenchmarkNewResponse(b *testing.B) {
	for _, test := range []struct{ name, format string }{
		{"GET", "$16\r\nvalue-%010d\r\n"},
		{"OK", "+OK\r\n"},
		{"INCR", ":%d\r\n"},
		{"HGETALL", "%%2\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$10\r\n%010d\r\n"},
	} {
		b.Run(test.name, func(b *testing.B) {
			results := &executor.Results{}
			for i := range 1000 {
				frame := test.format
				if strings.Contains(frame, "d") {
					frame = fmt.Sprintf(frame, i)
				}
				results.Results = append(results.Results, executor.Result{Frame: resp.Frame(frame)})
			}
			batch := &Batch{}
			b.ReportAllocs()
			for b.Loop() {
				NewResponse(batch, results).Free()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/reply")
		})
	}
}
