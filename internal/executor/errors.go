package executor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Outcome says what is known of a failed command's effects. Its numbers are the contract's.
type Outcome uint8

const (
	// NotExecuted: the command certainly had no effect: never written, or refused by the node.
	NotExecuted Outcome = 1
	// Failed: the node ran the command and answered with an error, or only some parts of a
	// split command took effect.
	Failed Outcome = 2
	// Unknown: the command was written and no answer came.
	Unknown Outcome = 3
)

// Codes of errors that the service itself gives, where Valkey gives none.
const (
	// CodeConnection: the node could not be reached, or was lost before it answered.
	CodeConnection = "CONNECTION"
	// CodeTimeout: a retry of the command was still unanswered when the time was up.
	CodeTimeout = "TIMEOUT"
	// CodeReply: the nodes' replies to a split or fanned-out command cannot be merged.
	CodeReply = "REPLY"
)

// CommandError is why one command has no proper reply.
type CommandError struct {
	// Code is the server's error prefix (WRONGTYPE, ERR, ...) or one of this package's codes.
	Code string
	// Message is the server's full text, prefix included, or this package's own words.
	Message string
	// Outcome says whether the command may have had effects.
	Outcome Outcome
	// Node is the host:port that gave the error or could not be reached; empty if none.
	Node string
}

func (e *CommandError) Error() string { return e.Message }

// InvalidError says that a batch is wrong in itself. Nothing was sent.
type InvalidError struct {
	// Field is the path of what is wrong, such as "batch.commands[3].args".
	Field string
	// Index is the command's index, or -1 when it is not about one command.
	Index int
	// Reason is a stable upper-case word for programs.
	Reason string
	// Message is for people; it names the figures.
	Message string
	// Metadata holds the message's dynamic values, for programs.
	Metadata map[string]string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }

// DeniedError says that the caller may not do what a command asks for. Nothing was sent.
type DeniedError struct {
	// Index is the command's index and Command its name.
	Index   int
	Command string
	// Rule is the rule that refuses it and Reason a sentence; neither holds arguments.
	Rule, Reason string
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("batch.commands[%d]: %s", e.Index, e.Reason)
}

// RaisedError is the error with the lowest index of a batch with raise_on_error.
type RaisedError struct {
	// Index is the command's index and Command its name.
	Index   int
	Command string
	// Err is the command's error.
	Err *CommandError
	// Failed counts the failed commands of the batch.
	Failed int
	// NothingRan is whether certainly no command of the batch had any effect.
	NothingRan bool
}

func (e *RaisedError) Error() string {
	return fmt.Sprintf("command %d (%s) failed: %s", e.Index, e.Command, e.Err.Message)
}

// DiscardedError says that a transaction was discarded before it ran. Nothing was executed.
type DiscardedError struct {
	// Index is the index of the command whose queueing failed first and Command its name;
	// -1 and "multi" or "exec" when the transaction itself was refused.
	Index   int
	Command string
	// Err is the first error; its outcome is NotExecuted.
	Err *CommandError
	// Failed counts the commands that were refused when queued.
	Failed int
}

func (e *DiscardedError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("transaction discarded, nothing was executed: %s was refused: %s", e.Command, e.Err.Message)
	}
	return fmt.Sprintf("transaction discarded, nothing was executed: command %d (%s) was refused: %s", e.Index, e.Command, e.Err.Message)
}

// DeadlineError says that the batch's time was up, or its caller gone, before every command
// was answered. Commands already written may have taken effect.
type DeadlineError struct {
	// Answered is how many of the Total commands had been answered.
	Answered, Total int
	// Timeout is the time that the batch was given.
	Timeout time.Duration
	// Cause is context.DeadlineExceeded or context.Canceled.
	Cause error
}

func (e *DeadlineError) Error() string {
	why := fmt.Sprintf("the timeout of %v passed", e.Timeout)
	if e.Timeout <= 0 {
		why = "the caller's deadline had passed when the batch arrived"
	}
	if errors.Is(e.Cause, context.Canceled) {
		why = "the caller cancelled"
	}
	return fmt.Sprintf("%s: %d of %d commands were answered by then", why, e.Answered, e.Total)
}

func (e *DeadlineError) Unwrap() error { return e.Cause }

// LimitError says that the batch's replies outgrew a limit. Commands may have taken effect.
type LimitError struct {
	// What names the limit.
	What string
	// Actual is the figure that was reached and Allowed the limit.
	Actual, Allowed int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d is over the limit of %d", e.What, e.Actual, e.Allowed)
}

// UnavailableError says that the deployment could not be reached. Nothing was executed.
type UnavailableError struct {
	// Cause is the last failure to reach it.
	Cause error
}

func (e *UnavailableError) Error() string { return "the deployment is unreachable: " + e.Cause.Error() }

func (e *UnavailableError) Unwrap() error { return e.Cause }

// PanicError is a defect of this package met while carrying out a batch, caught so that no
// batch can end the process. Commands may have taken effect.
type PanicError struct {
	// Value is what was recovered and Stack where.
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// OverloadError says that as many batches wait already as may. Nothing was sent; the same batch
// may be carried out a moment later.
type OverloadError struct {
	// Actual is the number with this batch and Allowed the limit.
	Actual, Allowed int64
}

func (e *OverloadError) Error() string {
	return fmt.Sprintf("batches with blocking commands in flight: %d with this one, %d are allowed", e.Actual, e.Allowed)
}
