package service

import (
	"fmt"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// MaxArgumentBytes is the longest argument that Valkey takes: the default of its
// proto-max-bulk-len. A longer one would make it close the connection, with other callers'
// commands on it.
const MaxArgumentBytes = 512 << 20

// MaxOtherBytes is how many bytes of a request everything but its commands may take: options,
// of which only the key of a route can be large, and fields that this server does not know.
const MaxOtherBytes = 64 << 10

// What a command and an argument take in memory while they are carried out, besides the
// argument's bytes: the decoded batch, its plan, its results, and the commands as they are sent.
const (
	commandWeight  = 256
	argumentWeight = 64
)

// Limits bound what one request may ask for and what may be in flight at once. Zero values
// mean the defaults.
type Limits struct {
	// Commands is the most commands of one batch. Default 250,000.
	Commands int
	// Arguments is the most arguments of one batch, over all its commands and with their names.
	// Default 4,000,000.
	Arguments int
	// RequestBytes is the largest encoded batch of one request. Default 128 MiB.
	RequestBytes int64
	// InFlightBatches is the most batches carried out at once. Default 1,024.
	InFlightBatches int64
	// StreamBatches is the most batches of one stream carried out at once; further ones wait, not
	// read. It is never above InFlightBatches. Default 256.
	StreamBatches int
	// StreamStall is how long a caller may leave an answer unread, or a message that it began to
	// send without a further piece, before the stream or the call is ended with what it holds.
	// Default 30 s.
	StreamStall time.Duration
	// Streams is the most streams open at once, on all connections, those that idle included. As many
	// calls of their own may wait for their request to arrive. Default 20,000.
	Streams int64
	// InFlightBytes is the most request bytes of the batches carried out at once. A batch counts
	// as its encoded bytes, or as 256 bytes for each command and 64 for each argument where that
	// is more, so that what it takes once it is decoded is at most the double. One that counts
	// as more than InFlightBytes is carried out alone. It is never below RequestBytes. As many bytes
	// again may be on their way in, not admitted yet. Batches of up to 64 KiB have an eighth more, so
	// that large ones cannot shut them out. Default 1 GiB.
	InFlightBytes int64
	// BatchesPerSecond is how many batches may be begun in a second, as many of them at once. Zero:
	// any number.
	BatchesPerSecond int
}

// The defaults of [Limits].
const (
	DefaultMaxCommands     = 250_000
	DefaultMaxArguments    = 4_000_000
	DefaultMaxRequestBytes = 128 << 20
	DefaultInFlightBatches = 1024
	DefaultInFlightBytes   = 1 << 30
	DefaultStreamBatches   = 256
	DefaultStreamStall     = 30 * time.Second
	DefaultStreams         = 20_000
)

func (l Limits) withDefaults() Limits {
	if l.Commands <= 0 {
		l.Commands = DefaultMaxCommands
	}
	if l.Arguments <= 0 {
		l.Arguments = DefaultMaxArguments
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
	if l.StreamBatches <= 0 {
		l.StreamBatches = DefaultStreamBatches
	}
	if l.StreamStall <= 0 {
		l.StreamStall = DefaultStreamStall
	}
	if l.Streams <= 0 {
		l.Streams = DefaultStreams
	}
	// A stream's batches wait for each other rather than being refused.
	l.StreamBatches = int(min(int64(l.StreamBatches), l.InFlightBatches))
	l.InFlightBytes = max(l.InFlightBytes, l.RequestBytes)
	return l
}

// check holds a request to the limits. Its error is a [*LimitError].
func (l Limits) check(size wire.Size) error {
	switch {
	case size.Commands > l.Commands:
		return &LimitError{Field: "batch.commands", What: "commands per batch", Unit: "commands", Setting: SettingCommands,
			Actual: int64(size.Commands), Allowed: int64(l.Commands)}
	case size.Arguments > l.Arguments:
		return &LimitError{Field: "batch.commands", What: "arguments per batch", Unit: "arguments", Setting: SettingArguments,
			Actual: int64(size.Arguments), Allowed: int64(l.Arguments)}
	case size.Longest.Bytes > MaxArgumentBytes:
		return &LimitError{Field: size.Longest.Field(), What: "argument bytes", Unit: "bytes",
			Actual: int64(size.Longest.Bytes), Allowed: MaxArgumentBytes}
	case size.CommandBytes > l.RequestBytes:
		return &LimitError{Field: "batch", What: "request bytes", Unit: "bytes",
			Setting: SettingRequestBytes, Actual: size.CommandBytes, Allowed: l.RequestBytes}
	case size.OtherBytes > MaxOtherBytes:
		return &LimitError{Field: "options", What: "bytes besides the commands", Unit: "bytes",
			Actual: size.OtherBytes, Allowed: MaxOtherBytes}
	}
	return nil
}

// weight is what a request within the limits counts as among those in flight. Decoding takes
// the one figure for the arguments' bytes and the other for all around them.
func (l Limits) weight(size wire.Size) int64 {
	around := int64(size.Commands)*commandWeight + int64(size.Arguments)*argumentWeight
	// A batch that is within the limits must be admitted when it is alone.
	return min(max(size.CommandBytes, around), l.InFlightBytes)
}

// LimitError says that a request is over one of the server's limits. Nothing has been sent.
type LimitError struct {
	// Field is the path of what is too large, where it is one field.
	Field string
	// What names the limit and Unit what its figures count.
	What, Unit string
	// Setting is the server's setting that sets the limit; empty where none does.
	Setting string
	// Actual is the request's figure and Allowed the limit.
	Actual, Allowed int64
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %s: %d %s are over the limit of %d%s", e.Field, e.What, e.Actual, e.Unit, e.Allowed, setBy(e.Setting))
}

// The server's settings that set the limits, as errors name them: the operator's flags.
const (
	SettingCommands         = "max-commands"
	SettingArguments        = "max-arguments"
	SettingRequestBytes     = "max-request-bytes"
	SettingReplyBytes       = "max-reply-bytes"
	SettingReplyDepth       = "max-reply-depth"
	SettingInFlightBatches  = "max-in-flight-batches"
	SettingStreamStall      = "max-stream-stall"
	SettingBlockingBatches  = "max-blocking-batches"
	SettingStreams          = "max-streams"
	SettingInFlightBytes    = "max-in-flight-bytes"
	SettingBatchesPerSecond = "max-batches-per-second"
	SettingInFlightReplies  = "max-in-flight-reply-bytes"
)

// replySettings are the settings of the executor's limits, by what it calls them.
var replySettings = map[string]string{
	node.LimitReplyBytes:      SettingReplyBytes,
	node.LimitReplyNesting:    SettingReplyDepth,
	node.LimitRepliesInFlight: SettingInFlightReplies,
}

// setBy says which setting of the server sets a limit.
func setBy(setting string) string {
	if setting == "" {
		return ""
	}
	return " (set by the server's " + setting + ")"
}
