package acceptance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// wantValues is want for results whose kinds matter: render does not tell a text from a
// simple string.
func (s *service) wantValues(t *testing.T, r request, want ...*valkeybatchv1.Value) {
	t.Helper()
	if diff := cmp.Diff(want, s.must(t, r), protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
		t.Fatalf("results of %s (-want +got):\n%s", r.GetBatch(), diff)
	}
}

// Values of every kind.

var aNull = &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_NullValue{NullValue: true}}

func aString(s string) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_StringValue{StringValue: s}}
}

func aBulk(s string) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_BytesValue{BytesValue: []byte(s)}}
}

func anInteger(n int64) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_IntegerValue{IntegerValue: n}}
}

func aDouble(f float64) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_DoubleValue{DoubleValue: f}}
}

func aBoolean(b bool) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_BooleanValue{BooleanValue: b}}
}

func aBigNumber(s string) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_BigNumberValue{BigNumberValue: s}}
}

func aVerbatim(format, data string) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_VerbatimValue{
		VerbatimValue: &valkeybatchv1.VerbatimString{Format: format, Data: []byte(data)}}}
}

func anArray(elements ...*valkeybatchv1.Value) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_ArrayValue{ArrayValue: &valkeybatchv1.ArrayValue{Elements: elements}}}
}

func aSet(members ...*valkeybatchv1.Value) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_SetValue{SetValue: &valkeybatchv1.SetValue{Members: members}}}
}

// aMap is a map of keys and values in turn.
func aMap(keysAndValues ...*valkeybatchv1.Value) *valkeybatchv1.Value {
	m := &valkeybatchv1.MapValue{}
	for i := 0; i < len(keysAndValues); i += 2 {
		m.Entries = append(m.Entries, &valkeybatchv1.MapValue_Entry{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_MapValue{MapValue: m}}
}

// anError is an error that a command met when it ran.
func anError(code, message, node string) *valkeybatchv1.Value {
	return &valkeybatchv1.Value{Kind: &valkeybatchv1.Value_ErrorValue{ErrorValue: &valkeybatchv1.CommandError{
		Code: code, Message: message, Outcome: valkeybatchv1.Outcome_OUTCOME_FAILED, Node: node}}}
}
