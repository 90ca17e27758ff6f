package acceptance

import (
	"fmt"
	"strconv"
	"strings"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// render writes a value in a short form that keeps its type, so that a whole result is
// compared at a glance:
//
//	null            nil
//	simple string   OK          (as it is; text_args bulk strings look the same with quotes)
//	bulk string     "text"      (string_value of a bulk string and bytes_value alike)
//	integer         42
//	double          1.5d, infd, -infd, nand
//	boolean         true
//	big number      123n
//	verbatim        txt:"..."
//	array           [a b]
//	set             ~{a b}
//	map             {k: v, k: v}
//	error           !CODE the server's text   (only the text, which begins with the code)
//
// The contract gives simple strings and text bulk strings the same kind, so that render
// cannot tell them apart when commands are sent as text_args: both are written bare then.
func render(v *valkeybatchv1.Value) string {
	switch k := v.GetKind().(type) {
	case *valkeybatchv1.Value_NullValue:
		if !k.NullValue {
			return "nil(false)" // the contract: always true when set
		}
		return "nil"
	case *valkeybatchv1.Value_StringValue:
		return k.StringValue
	case *valkeybatchv1.Value_BytesValue:
		return strconv.Quote(string(k.BytesValue))
	case *valkeybatchv1.Value_IntegerValue:
		return strconv.FormatInt(k.IntegerValue, 10)
	case *valkeybatchv1.Value_DoubleValue:
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(k.DoubleValue, 'g', -1, 64), "+")) + "d"
	case *valkeybatchv1.Value_BooleanValue:
		return strconv.FormatBool(k.BooleanValue)
	case *valkeybatchv1.Value_BigNumberValue:
		return k.BigNumberValue + "n"
	case *valkeybatchv1.Value_VerbatimValue:
		return k.VerbatimValue.GetFormat() + ":" + strconv.Quote(string(k.VerbatimValue.GetData()))
	case *valkeybatchv1.Value_ArrayValue:
		return "[" + strings.Join(renderAll(k.ArrayValue.GetElements()), " ") + "]"
	case *valkeybatchv1.Value_SetValue:
		return "~{" + strings.Join(renderAll(k.SetValue.GetMembers()), " ") + "}"
	case *valkeybatchv1.Value_MapValue:
		var entries []string
		for _, e := range k.MapValue.GetEntries() {
			entries = append(entries, render(e.GetKey())+": "+render(e.GetValue()))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case *valkeybatchv1.Value_ErrorValue:
		return "!" + k.ErrorValue.GetMessage()
	case nil:
		return "unset"
	default:
		return fmt.Sprintf("unknown kind %T", k)
	}
}

func renderAll(values []*valkeybatchv1.Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = render(v)
	}
	return out
}
