package service

import (
	"fmt"
	"unsafe"

	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/options"
)

// RequestError says that a request is wrong in itself. Nothing has been sent.
type RequestError struct {
	// Field is the path of what is wrong, such as "batch.commands[3]". Empty: the request as a whole.
	Field string
	// Reason is a stable UPPER_SNAKE_CASE word for the kind of mistake.
	Reason string
	// Message says what is wrong and what would be right.
	Message string
}

// Error implements error.
func (e *RequestError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// The reasons of a [RequestError].
const (
	ReasonEmptyPipeline    = "EMPTY_PIPELINE"
	ReasonEmptyCommand     = "EMPTY_COMMAND"
	ReasonArgumentForms    = "ARGUMENT_FORMS"
	ReasonEmptyCommandName = "EMPTY_COMMAND_NAME"
	ReasonInvalidText      = "INVALID_TEXT"
	ReasonMalformed        = "MALFORMED_REQUEST"
)

// newBatch translates the contract's batch. The arguments are the request's own bytes, not
// copies. Its error is a [*RequestError].
func newBatch(in *valkeybatchv1.Batch) (executor.Batch, error) {
	commands := in.GetCommands()
	if len(commands) == 0 && !in.GetIsAtomic() {
		return executor.Batch{}, &RequestError{Field: "batch.commands", Reason: ReasonEmptyPipeline,
			Message: "a pipeline needs at least one command"}
	}
	texts := 0
	for i, command := range commands {
		if err := checkCommand(i, command); err != nil {
			return executor.Batch{}, err
		}
		texts += len(command.GetTextArgs())
	}
	out := executor.Batch{Atomic: in.GetIsAtomic(), Commands: make([][][]byte, len(commands))}
	// One array holds the arguments of all commands in text form.
	slab := make([][]byte, texts)
	for i, command := range commands {
		if len(command.GetArgs()) > 0 {
			out.Commands[i] = command.GetArgs()
			continue
		}
		n := len(command.GetTextArgs())
		args := slab[:n:n]
		slab = slab[n:]
		for j, text := range command.GetTextArgs() {
			args[j] = bytesOf(text)
		}
		out.Commands[i] = args
	}
	return out, nil
}

// checkCommand checks the form of the command at index i.
func checkCommand(i int, command *valkeybatchv1.Command) error {
	binary, text := command.GetArgs(), command.GetTextArgs()
	switch {
	case len(binary) > 0 && len(text) > 0:
		return &RequestError{Field: fmt.Sprintf("batch.commands[%d]", i), Reason: ReasonArgumentForms,
			Message: "args and text_args are both set: set exactly one"}
	case len(binary) == 0 && len(text) == 0:
		return &RequestError{Field: fmt.Sprintf("batch.commands[%d]", i), Reason: ReasonEmptyCommand,
			Message: "the command is empty: set args or text_args, the command's name first"}
	case len(binary) > 0 && len(binary[0]) == 0:
		return &RequestError{Field: fmt.Sprintf("batch.commands[%d].args[0]", i), Reason: ReasonEmptyCommandName,
			Message: "the command's name is empty"}
	case len(text) > 0 && text[0] == "":
		return &RequestError{Field: fmt.Sprintf("batch.commands[%d].text_args[0]", i), Reason: ReasonEmptyCommandName,
			Message: "the command's name is empty"}
	}
	return nil
}

// bytesOf returns the bytes of s without a copy. They must not be written to; arguments never
// are, on all their way to the socket.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// optionsInput translates a request's options, unvalidated.
func optionsInput(req *valkeybatchv1.ExecuteBatchRequest) options.Input {
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
