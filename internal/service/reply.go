package service

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// CodeProtocol is the code of an error_value that stands for a reply, or a part of one, that
// is not what its type says. A server that keeps to RESP3 never gives such a reply.
const CodeProtocol = "PROTOCOL"

// maxDepth bounds the recursion over one reply. It is far above what the connections let
// through by default; a value nested deeper would be refused by most clients' decoders.
const maxDepth = 512

// newResponse translates the results of the given commands.
func newResponse(commands []*valkeybatchv1.Command, results *executor.Results) *valkeybatchv1.ExecuteBatchResponse {
	out := &valkeybatchv1.ExecuteBatchResponse{}
	if len(results.Results) == 0 {
		return out
	}
	out.Results = newValues(len(results.Results))
	for i := range results.Results {
		result, value := &results.Results[i], out.Results[i]
		if result.Err != nil {
			setError(value, result.Err)
		} else {
			t := translator{
				text: i < len(commands) && len(commands[i].GetTextArgs()) > 0,
				node: result.Node,
			}
			t.reply(value, result.Frame)
		}
		if _, failed := value.Kind.(*valkeybatchv1.Value_ErrorValue); failed {
			out.FailedCount++
		}
	}
	return out
}

// newValues returns n empty values that share one allocation.
func newValues(n int) []*valkeybatchv1.Value {
	slab := make([]valkeybatchv1.Value, n)
	values := make([]*valkeybatchv1.Value, n)
	for i := range slab {
		values[i] = &slab[i]
	}
	return values
}

// translator turns one command's reply into the contract's values.
type translator struct {
	// text says that the command was given as text, so that its replies are text where they can be.
	text bool
	// node gave the reply, and so any error inside it.
	node string
}

// reply fills value with a whole reply. Whatever the frame holds, value has a kind afterwards.
func (t translator) reply(value *valkeybatchv1.Value, frame resp.Frame) {
	rest, err := t.fill(value, frame, 0)
	switch {
	case err != nil:
		t.malformed(value, err.Error())
	case len(rest) > 0:
		t.malformed(value, fmt.Sprintf("%d bytes follow the reply", len(rest)))
	}
}

// fill reads one value off b, nested values included, and returns what follows it. An error
// means that no boundary is known any more and nothing after it can be read.
func (t translator) fill(value *valkeybatchv1.Value, b []byte, depth int) (rest []byte, err error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the reply is nested deeper than %d levels", maxDepth)
	}
	e, rest, err := resp.Next(b)
	if err != nil {
		return nil, err
	}
	switch e.Type {
	case resp.TypeArray:
		elements, rest, err := t.elements(e.Count, rest, depth)
		value.Kind = &valkeybatchv1.Value_ArrayValue{ArrayValue: &valkeybatchv1.ArrayValue{Elements: elements}}
		return rest, err
	case resp.TypeSet:
		members, rest, err := t.elements(e.Count, rest, depth)
		value.Kind = &valkeybatchv1.Value_SetValue{SetValue: &valkeybatchv1.SetValue{Members: members}}
		return rest, err
	case resp.TypeMap:
		entries, rest, err := t.entries(e.Count, rest, depth)
		value.Kind = &valkeybatchv1.Value_MapValue{MapValue: &valkeybatchv1.MapValue{Entries: entries}}
		return rest, err
	default:
		t.scalar(value, e)
		return rest, nil
	}
}

// The fewest bytes that one element can take ("_\r\n"): no more elements than that are made
// room for, whatever a header claims.
const minElement = 3

func (t translator) elements(count int, b []byte, depth int) ([]*valkeybatchv1.Value, []byte, error) {
	if count > len(b)/minElement {
		return nil, nil, fmt.Errorf("%d elements are announced and %d bytes follow", count, len(b))
	}
	if count == 0 {
		return nil, b, nil
	}
	values := newValues(count)
	var err error
	for _, value := range values {
		if b, err = t.fill(value, b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return values, b, nil
}

func (t translator) entries(count int, b []byte, depth int) ([]*valkeybatchv1.MapValue_Entry, []byte, error) {
	if count > len(b)/(2*minElement) {
		return nil, nil, fmt.Errorf("%d map entries are announced and %d bytes follow", count, len(b))
	}
	if count == 0 {
		return nil, b, nil
	}
	values := newValues(2 * count)
	slab := make([]valkeybatchv1.MapValue_Entry, count)
	entries := make([]*valkeybatchv1.MapValue_Entry, count)
	var err error
	for i := range slab {
		entry := &slab[i]
		entry.Key, entry.Value = values[2*i], values[2*i+1]
		if b, err = t.fill(entry.Key, b, depth+1); err != nil {
			return nil, nil, err
		}
		if b, err = t.fill(entry.Value, b, depth+1); err != nil {
			return nil, nil, err
		}
		entries[i] = entry
	}
	return entries, b, nil
}

// scalar fills value with a token that is no aggregate.
func (t translator) scalar(value *valkeybatchv1.Value, e resp.Element) {
	switch e.Type {
	case resp.TypeNull:
		value.Kind = &valkeybatchv1.Value_NullValue{NullValue: true}
	case resp.TypeSimple:
		// A script can return a simple string of any bytes, and a string field that is not
		// UTF-8 would make the whole response unsendable.
		setString(value, e.Text, true)
	case resp.TypeBulk:
		setString(value, e.Text, t.text)
	case resp.TypeInteger:
		n, err := strconv.ParseInt(string(e.Text), 10, 64)
		if err != nil {
			t.malformed(value, "an integer is not a 64-bit number")
			return
		}
		value.Kind = &valkeybatchv1.Value_IntegerValue{IntegerValue: n}
	case resp.TypeDouble:
		f, ok := parseDouble(e.Text)
		if !ok {
			t.malformed(value, "a double is not a number")
			return
		}
		value.Kind = &valkeybatchv1.Value_DoubleValue{DoubleValue: f}
	case resp.TypeBoolean:
		value.Kind = &valkeybatchv1.Value_BooleanValue{BooleanValue: string(e.Text) == "t"}
	case resp.TypeBigNumber:
		value.Kind = &valkeybatchv1.Value_BigNumberValue{BigNumberValue: validText(string(e.Text))}
	case resp.TypeVerbatim:
		value.Kind = &valkeybatchv1.Value_VerbatimValue{VerbatimValue: verbatim(e.Text)}
	case resp.TypeError, resp.TypeBulkError:
		text := string(e.Text)
		setError(value, &executor.CommandError{
			Code:    errorCode(e),
			Message: text,
			Outcome: executor.Failed,
			Node:    t.node,
		})
	default:
		t.malformed(value, fmt.Sprintf("%q is no type of RESP3", e.Type))
	}
}

// malformed fills value with an error that stands for an unreadable reply. The command ran.
func (t translator) malformed(value *valkeybatchv1.Value, what string) {
	setError(value, &executor.CommandError{
		Code:    CodeProtocol,
		Message: CodeProtocol + " the reply is malformed: " + what,
		Outcome: executor.Failed,
		Node:    t.node,
	})
}

// setString fills value with a string: as text if it may be and can be, as bytes otherwise.
// The bytes are the reply's own, not a copy.
func setString(value *valkeybatchv1.Value, b []byte, text bool) {
	if text && utf8.Valid(b) {
		value.Kind = &valkeybatchv1.Value_StringValue{StringValue: string(b)}
		return
	}
	if b == nil {
		b = []byte{}
	}
	value.Kind = &valkeybatchv1.Value_BytesValue{BytesValue: b}
}

// setError fills value with an error. Texts that are not UTF-8 (scripts can raise any bytes)
// have their bad bytes replaced.
func setError(value *valkeybatchv1.Value, err *executor.CommandError) {
	value.Kind = &valkeybatchv1.Value_ErrorValue{ErrorValue: &valkeybatchv1.CommandError{
		Code:    validText(err.Code),
		Message: validText(err.Message),
		Outcome: valkeybatchv1.Outcome(err.Outcome),
		Node:    validText(err.Node),
	}}
}

// errorCode is the code of an error token, by the rule of [resp.Frame.ErrorCode].
func errorCode(e resp.Element) string {
	frame := make(resp.Frame, 0, len(e.Text)+3)
	frame = append(frame, resp.TypeError)
	frame = append(frame, e.Text...)
	frame = append(frame, '\r', '\n')
	return frame.ErrorCode()
}

// parseDouble reads a RESP3 double. The server writes infinities as inf and -inf, and what is
// not a number as nan; C libraries may put a sign before it.
func parseDouble(b []byte) (f float64, ok bool) {
	s := string(b)
	if s == "nan" || s == "-nan" {
		return math.NaN(), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// verbatim splits the text of a verbatim string into its three-letter format and the rest.
func verbatim(b []byte) *valkeybatchv1.VerbatimString {
	if len(b) < 4 || b[3] != ':' {
		return &valkeybatchv1.VerbatimString{Data: b}
	}
	return &valkeybatchv1.VerbatimString{Format: validText(string(b[:3])), Data: b[4:]}
}

// validText returns s with every byte that is not UTF-8 replaced by U+FFFD.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
