package wire

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// oracleResponse translates results into generated structs: the judge of what [NewResponse]
// writes. It is a second way to the same values, written for plainness.
func oracleResponse(commands []*valkeybatchv1.Command, results *executor.Results) *valkeybatchv1.ExecuteBatchResponse {
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
		value.Kind = &valkeybatchv1.Value_VerbatimValue{VerbatimValue: oracleVerbatim(e.Text)}
	case resp.TypeError, resp.TypeBulkError:
		text := string(e.Text)
		setError(value, &executor.CommandError{
			Code:    resp.ErrorCode(e.Text),
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

func oracleVerbatim(b []byte) *valkeybatchv1.VerbatimString {
	format, data := verbatim(b)
	return &valkeybatchv1.VerbatimString{Format: format, Data: data}
}

// oracleOptions translates the generated form of a request's options.
func oracleOptions(req *valkeybatchv1.ExecuteBatchRequest) options.Input {
	in := options.Input{Atomic: req.GetBatch().GetIsAtomic(), RaiseOnError: req.GetRaiseOnError()}
	switch o := req.GetOptions().(type) {
	case *valkeybatchv1.ExecuteBatchRequest_StandaloneOptions:
		in.Kind = options.KindStandalone
		in.Timeout = durationInput(o.StandaloneOptions.GetTimeout())
		in.Retry = retryInput(o.StandaloneOptions.GetRetryStrategy())
	case *valkeybatchv1.ExecuteBatchRequest_ClusterOptions:
		in.Kind = options.KindCluster
		in.Timeout = durationInput(o.ClusterOptions.GetTimeout())
		in.Retry = retryInput(o.ClusterOptions.GetRetryStrategy())
		in.Route = routeInput(o.ClusterOptions.GetRoute())
	}
	return in
}

func durationInput(d *durationpb.Duration) *options.Duration {
	if d == nil {
		return nil
	}
	return &options.Duration{Seconds: d.GetSeconds(), Nanos: d.GetNanos()}
}

func retryInput(r *valkeybatchv1.BatchRetryStrategy) *options.RetryInput {
	if r == nil {
		return nil
	}
	return &options.RetryInput{ServerError: r.GetRetryServerError(), ConnectionError: r.GetRetryConnectionError()}
}

func routeInput(r *valkeybatchv1.Route) *options.RouteInput {
	if r == nil {
		return nil
	}
	switch k := r.GetKind().(type) {
	case *valkeybatchv1.Route_Random:
		return &options.RouteInput{Which: options.FieldRandom}
	case *valkeybatchv1.Route_SlotKey:
		return &options.RouteInput{
			Which:    options.FieldSlotKey,
			Key:      k.SlotKey.GetKey(),
			TextKey:  k.SlotKey.GetTextKey(),
			SlotType: int32(k.SlotKey.GetSlotType()),
		}
	case *valkeybatchv1.Route_SlotId:
		return &options.RouteInput{
			Which:    options.FieldSlotID,
			SlotID:   k.SlotId.GetSlotId(),
			SlotType: int32(k.SlotId.GetSlotType()),
		}
	case *valkeybatchv1.Route_ByAddress:
		return &options.RouteInput{
			Which: options.FieldByAddress,
			Host:  k.ByAddress.GetHost(),
			Port:  k.ByAddress.GetPort(),
		}
	default:
		return &options.RouteInput{}
	}
}
