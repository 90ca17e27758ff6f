package service

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// MaxArgumentBytes is the longest argument that Valkey takes: the default of its
// proto-max-bulk-len. A longer one would make it close the connection, with other callers'
// commands on it.
const MaxArgumentBytes = 512 << 20

// Limits bound what one request may ask for and what may be in flight at once. Zero values
// mean the defaults.
type Limits struct {
	// Commands is the most commands of one batch. Default 250,000.
	Commands int
	// RequestBytes is the largest encoded batch of one request. Default 128 MiB.
	RequestBytes int64
	// InFlightBatches is the most batches carried out at once. Default 1,024.
	InFlightBatches int64
	// InFlightBytes is the most request bytes of the batches carried out at once. It is never
	// below RequestBytes. Default 1 GiB.
	InFlightBytes int64
}

// The defaults of [Limits].
const (
	DefaultMaxCommands     = 250_000
	DefaultMaxRequestBytes = 128 << 20
	DefaultInFlightBatches = 1024
	DefaultInFlightBytes   = 1 << 30
)

func (l Limits) withDefaults() Limits {
	if l.Commands <= 0 {
		l.Commands = DefaultMaxCommands
	}
	if l.RequestBytes <= 0 {
		l.RequestBytes = DefaultMaxRequestBytes
	}
	if l.InFlightBatches <= 0 {
		l.InFlightBatches = DefaultInFlightBatches
	}
	if l.InFlightBytes <= 0 {
		l.InFlightBytes = DefaultInFlightBytes
	}
	l.InFlightBytes = max(l.InFlightBytes, l.RequestBytes)
	return l
}

// check measures a request against the limits and returns the encoded size of its batch. It
// allocates nothing. Its error is a [*LimitError].
func (l Limits) check(req *valkeybatchv1.ExecuteBatchRequest) (size int64, err error) {
	commands := req.GetBatch().GetCommands()
	if len(commands) > l.Commands {
		return 0, &LimitError{Field: "batch.commands", What: "commands per batch", Unit: "commands",
			Actual: int64(len(commands)), Allowed: int64(l.Commands)}
	}
	for i, command := range commands {
		n := 0
		for j, arg := range command.GetArgs() {
			if len(arg) > MaxArgumentBytes {
				return 0, argumentLimit(i, j, "args", len(arg))
			}
			n += 1 + protowire.SizeBytes(len(arg))
		}
		for j, arg := range command.GetTextArgs() {
			if len(arg) > MaxArgumentBytes {
				return 0, argumentLimit(i, j, "text_args", len(arg))
			}
			n += 1 + protowire.SizeBytes(len(arg))
		}
		size += int64(1 + protowire.SizeBytes(n))
	}
	if size > l.RequestBytes {
		return 0, &LimitError{Field: "batch", What: "request bytes", Unit: "bytes", Actual: size, Allowed: l.RequestBytes}
	}
	return size, nil
}

func argumentLimit(command, arg int, form string, actual int) *LimitError {
	return &LimitError{
		Field:   fmt.Sprintf("batch.commands[%d].%s[%d]", command, form, arg),
		What:    "argument bytes",
		Unit:    "bytes",
		Actual:  int64(actual),
		Allowed: MaxArgumentBytes,
	}
}

// LimitError says that a request is over one of the server's limits. Nothing has been sent.
type LimitError struct {
	// Field is the path of what is too large, where it is one field.
	Field string
	// What names the limit and Unit what its figures count.
	What, Unit string
	// Actual is the request's figure and Allowed the limit.
	Actual, Allowed int64
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %s: %d %s are over the limit of %d", e.Field, e.What, e.Actual, e.Unit, e.Allowed)
}
