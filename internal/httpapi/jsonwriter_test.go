package httpapi

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

func text(s string) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_StringValue{StringValue: s}}
}

func double(f float64) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_DoubleValue{DoubleValue: f}}
}

// everything is a response with each kind of value.
func everything() *valkeybatchv1.ExecuteBatchResponse {
	integer := func(n int64) *valkeybatchv1.Value {
		return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_IntegerValue{IntegerValue: n}}
	}
	results := []*valkeybatchv1.Value{
		{Kind: &valkeybatchv1.Value_NullValue{NullValue: true}},
		text(""), text("OK"), text("\"\\/<>&\b\f\n\r\t\x00\x1f\x7f é \u2028 \U0001f600 \ufffd"),
		{Kind: &valkeybatchv1.Value_BytesValue{BytesValue: []byte{0, 255, 254, 62, 63}}}, {Kind: &valkeybatchv1.Value_BytesValue{}},
		integer(0), integer(-1), integer(math.MaxInt64), integer(math.MinInt64),
		double(0), double(math.Copysign(0, -1)), double(1.5), double(1e21), double(1e-7), double(-123456.789),
		double(math.NaN()), double(math.Inf(1)), double(math.Inf(-1)), double(math.MaxFloat64), double(math.SmallestNonzeroFloat64),
		{Kind: &valkeybatchv1.Value_BooleanValue{}}, {Kind: &valkeybatchv1.Value_BooleanValue{BooleanValue: true}},
		{Kind: &valkeybatchv1.Value_BigNumberValue{BigNumberValue: "3492890328409238509324850943850943825024385"}},
		{Kind: &valkeybatchv1.Value_VerbatimValue{VerbatimValue: &valkeybatchv1.VerbatimString{Format: "txt", Data: []byte("a")}}},
		{Kind: &valkeybatchv1.Value_ArrayValue{ArrayValue: &valkeybatchv1.ArrayValue{}}},
		{Kind: &valkeybatchv1.Value_ArrayValue{ArrayValue: &valkeybatchv1.ArrayValue{Elements: []*valkeybatchv1.Value{text("a"), integer(1), {}}}}},
		{Kind: &valkeybatchv1.Value_SetValue{SetValue: &valkeybatchv1.SetValue{Members: []*valkeybatchv1.Value{text("m")}}}},
		{Kind: &valkeybatchv1.Value_MapValue{MapValue: &valkeybatchv1.MapValue{Entries: []*valkeybatchv1.MapValue_Entry{
			{Key: text("k"), Value: integer(2)}, {Key: integer(3), Value: text("v")}}}}},
		{Kind: &valkeybatchv1.Value_ErrorValue{ErrorValue: &valkeybatchv1.CommandError{Code: "ERR", Message: "ERR no", Outcome: valkeybatchv1.Outcome_OUTCOME_UNKNOWN, Node: "a:1"}}},
		{Kind: &valkeybatchv1.Value_ErrorValue{ErrorValue: &valkeybatchv1.CommandError{Outcome: 77}}},
	}
	return &valkeybatchv1.ExecuteBatchResponse{Results: results, FailedCount: 2}
}

// TestJSONIsProtojson: the text means to a JSON reader what protojson's means, and protojson reads the
// message back from it.
func TestJSONIsProtojson(t *testing.T) {
	info, err := anypb.New(&errdetails.ErrorInfo{Reason: "R", Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]proto.Message{
		"everything":      everything(),
		"empty":           &valkeybatchv1.ExecuteBatchResponse{},
		"stream":          &valkeybatchv1.StreamBatchesResponse{Id: math.MaxUint64, Outcome: &valkeybatchv1.StreamBatchesResponse_Response{Response: everything()}},
		"stream's error":  &valkeybatchv1.StreamBatchesResponse{Id: 1, Outcome: &valkeybatchv1.StreamBatchesResponse_Error{Error: &valkeybatchv1.BatchStatus{Code: 3, Message: "m", Details: []*anypb.Any{info, info}}}},
		"stream's nobody": &valkeybatchv1.StreamBatchesResponse{},
	} {
		t.Run(name, func(t *testing.T) {
			back := m.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal(checkJSON(t, m), back); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(m, back) { // to which NaN is NaN
				t.Errorf("read back: %v, want %v", back, m)
			}
		})
	}
}

// checkJSON compares a message's JSON with protojson's, and returns it.
func checkJSON(t *testing.T, m proto.Message) []byte {
	t.Helper()
	encoded, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	as := jsonExecuteBatchResponse
	if _, ok := m.(*valkeybatchv1.StreamBatchesResponse); ok {
		as = jsonStreamBatchesResponse
	}
	w := jsonWriter{budget: &budget{max: math.MaxInt64}}
	got, err := w.write(encoded, as, 3)
	if err != nil {
		t.Fatal(err)
	}
	if used := w.budget.used.Load(); used < int64(cap(got)) || used != w.paid {
		t.Errorf("%d bytes, with room for %d, are counted as %d, paid %d", len(got), cap(got), used, w.paid)
	}
	got = got[3:]
	theirs, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var mine, want any
	if err := json.Unmarshal(got, &mine); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(theirs, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, mine); diff != "" {
		t.Errorf("(-protojson +got):\n%s", diff)
	}
	return got
}

// TestJSONOverBudget: an answer that would take too much is refused while it is written.
func TestJSONOverBudget(t *testing.T) {
	m := &valkeybatchv1.ExecuteBatchResponse{}
	for range 100_000 {
		m.Results = append(m.Results, text("\x00\x00\x00\x00\x00\x00\x00\x00"))
	}
	encoded, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	w := jsonWriter{budget: &budget{max: 3 << 20}}
	_, err = w.write(encoded, jsonExecuteBatchResponse, 0)
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "may have taken effect") {
		t.Errorf("got %v", err)
	}
	w.free()
	if used := w.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes are still counted", used)
	}
}

// TestJSONEscapesCount: what escapes make of text is counted as it is written, to the last byte, and
// is refused before there is memory for it.
func TestJSONEscapesCount(t *testing.T) {
	const n = 1 << 20
	for name, test := range map[string]struct {
		piece string
		most  int // bytes a byte takes
	}{
		"control characters": {"\x01", 6},
		"quotes":             {"\"", 2},
		"no UTF-8":           {"\xff", 3},
		"characters":         {"\U0001f600", 1},
		"cut characters":     {"x\U0001f600\xf0\x9f\x98", 3},
		"plain":              {"x", 1},
	} {
		t.Run(name, func(t *testing.T) {
			long := strings.Repeat(test.piece, n/len(test.piece))
			// By hand: protobuf takes no string that is no UTF-8.
			encoded := protowire.AppendTag(nil, 1, protowire.BytesType)
			inner := protowire.AppendTag(nil, 2, protowire.BytesType)
			inner = protowire.AppendString(inner, long)
			encoded = protowire.AppendBytes(encoded, inner)
			w := jsonWriter{budget: &budget{max: math.MaxInt64}}
			got, err := w.write(encoded, jsonExecuteBatchResponse, 0)
			if err != nil {
				t.Fatal(err)
			}
			var back struct {
				Results []struct{ StringValue string }
			}
			// A conversion to runes makes U+FFFD of each byte that is no UTF-8.
			if err := json.Unmarshal(got, &back); err != nil || back.Results[0].StringValue != string([]rune(long)) {
				t.Fatalf("read back otherwise, %v", err)
			}
			if used := w.budget.used.Load(); used < int64(cap(got)) || used > int64(test.most*n*3/2+4096) {
				t.Errorf("%d bytes, with room for %d, are counted as %d", len(got), cap(got), used)
			}
			tight := jsonWriter{budget: &budget{max: int64(len(got)) - 1}}
			if _, err := tight.write(encoded, jsonExecuteBatchResponse, 0); status.Code(err) != codes.ResourceExhausted {
				t.Errorf("a byte less than it takes: %v", err)
			}
			if cap(tight.out) >= len(got) {
				t.Errorf("there was memory for %d bytes of %d", cap(tight.out), tight.budget.max)
			}
		})
	}
}

// FuzzJSONWriter: whatever response there is, its JSON is protojson's, and bytes that are none never panic.
func FuzzJSONWriter(f *testing.F) {
	seed, err := proto.Marshal(everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0x0a, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		w := jsonWriter{budget: &budget{max: math.MaxInt64}}
		got, err := w.write(b, jsonExecuteBatchResponse, 0)
		if err == nil && !utf8JSON(got) {
			t.Fatalf("%q", got)
		}
		m := &valkeybatchv1.ExecuteBatchResponse{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		if _, err := protojson.Marshal(m); err != nil {
			return
		}
		checkJSON(t, m)
	})
}

// utf8JSON reports whether JSON is well formed in its bytes; keys may stand in it twice, if the
// message had its fields twice.
func utf8JSON(b []byte) bool { return json.Valid(b) && strings.ToValidUTF8(string(b), "") == string(b) }
