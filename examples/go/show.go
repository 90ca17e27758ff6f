package main

import (
	"fmt"
	"strings"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// show writes a reply of any type as text. A string reply of a command given as args is bytes,
// whatever it holds; only the program knows that these are text.
func show(v *valkeybatchv1.Value) string {
	switch kind := v.GetKind().(type) {
	case *valkeybatchv1.Value_NullValue:
		return "null"
	case *valkeybatchv1.Value_StringValue:
		return kind.StringValue
	case *valkeybatchv1.Value_BytesValue:
		return string(kind.BytesValue)
	case *valkeybatchv1.Value_IntegerValue:
		return fmt.Sprint(kind.IntegerValue)
	case *valkeybatchv1.Value_DoubleValue:
		return fmt.Sprint(kind.DoubleValue)
	case *valkeybatchv1.Value_BooleanValue:
		return fmt.Sprint(kind.BooleanValue)
	case *valkeybatchv1.Value_BigNumberValue:
		return kind.BigNumberValue
	case *valkeybatchv1.Value_VerbatimValue:
		return string(kind.VerbatimValue.GetData())
	case *valkeybatchv1.Value_ArrayValue:
		return "[" + showAll(kind.ArrayValue.GetElements()) + "]"
	case *valkeybatchv1.Value_SetValue:
		return "{" + showAll(kind.SetValue.GetMembers()) + "}"
	case *valkeybatchv1.Value_MapValue:
		var entries []string // a list and no Go map: keys may be of any type
		for _, e := range kind.MapValue.GetEntries() {
			entries = append(entries, show(e.GetKey())+": "+show(e.GetValue()))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case *valkeybatchv1.Value_ErrorValue:
		return kind.ErrorValue.GetMessage()
	default: // a kind that a newer server knows
		return fmt.Sprintf("%v", v)
	}
}

func showAll(values []*valkeybatchv1.Value) string {
	shown := make([]string, len(values))
	for i, v := range values {
		shown[i] = show(v)
	}
	return strings.Join(shown, ", ")
}

// showStatus writes a status's code, the service's reason and the fields that are wrong.
func showStatus(s *status.Status) string {
	text := codeName(s.Code())
	for _, d := range s.Details() {
		switch detail := d.(type) {
		case *errdetails.ErrorInfo:
			text += ", " + detail.GetReason()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				text += ": " + violation.GetField()
			}
		}
	}
	return text
}

// errorInfo returns the ErrorInfo of a call's error. Without one (nil) the status is gRPC's own
// or a proxy's, and the batch may have run.
func errorInfo(err error) *errdetails.ErrorInfo {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == "valkeybatch" {
			return info
		}
	}
	return nil
}

// statusOf makes the failure of a streamed batch the status that a call of its own would have had.
func statusOf(b *valkeybatchv1.BatchStatus) *status.Status {
	return status.FromProto(&spb.Status{Code: b.GetCode(), Message: b.GetMessage(), Details: b.GetDetails()})
}

// codeName is a code's name as other languages write it: Go's own is "FailedPrecondition".
func codeName(c codes.Code) string { return code.Code(c).String() }
