package node

import (
	"context"
	"errors"
	"fmt"
)

// ErrClosed is the cause in a ConnectionError when the node was closed: it left the topology,
// or the pool was closed.
var ErrClosed = errors.New("the node's connections are closed")

// errLost stands for a connection that ended without a reason given.
var errLost = errors.New("connection closed by the server")

// errDefect stands for a defect of this program that was met while replies were read.
var errDefect = errors.New("reading the replies met a defect of the service")

// errNoAnswer stands for a handshake that took too long.
var errNoAnswer = errors.New("no answer in time")

// errHeldUp is the cause when a connection was closed that brought no replies any more, or
// only such as nobody waited for.
var errHeldUp = errors.New("the connection was held up and has been replaced too often")

// The operations in which a connection fails.
const (
	// OpDial: no transport connection. Nothing was sent.
	OpDial = "dial"
	// OpHandshake: the server refused the connection, or did not answer. Nothing was sent.
	OpHandshake = "handshake"
	// OpLost: the connection ended under the sub-batch.
	OpLost = "connection"
	// OpProtocol: the server broke the protocol, so the connection was closed.
	OpProtocol = "protocol"
	// OpClose: the connection was closed by this side.
	OpClose = "close"
)

// ConnectionError says that no connection could be had, or that it ended. Which commands it
// concerns, and whether they were written, is in the sub-batch's states.
type ConnectionError struct {
	// Addr is the node's address.
	Addr string
	// Op is what failed: one of the Op constants.
	Op string
	// Err is the cause.
	Err error
	// Timeout is whether the node did not answer in time (to a dial, or to the handshake).
	Timeout bool
}

// Error names the node, what failed and why.
func (e *ConnectionError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Addr, e.Op, e.Err) }

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.Err }

// failed returns a ConnectionError. A cause that is a timeout of this package's own (of a dial,
// say) loses its type: only a caller's own context may look like one.
func failed(addr, op string, err error) *ConnectionError {
	timeout := errors.Is(err, context.DeadlineExceeded)
	if timeout || errors.Is(err, context.Canceled) {
		err = errors.New(err.Error())
	}
	return &ConnectionError{Addr: addr, Op: op, Err: err, Timeout: timeout}
}

// What a LimitError can be about.
const (
	LimitReplyBytes      = "reply bytes"
	LimitReplyNesting    = "reply nesting"
	LimitRepliesInFlight = "reply bytes in flight"
)

// LimitError says that the replies outgrew what is allowed. Replies before that are kept.
type LimitError struct {
	// What names the limit: LimitReplyBytes, LimitReplyNesting or LimitRepliesInFlight.
	What string
	// Actual is the figure that broke the limit; more may have been to come. Allowed is the limit.
	Actual, Allowed int64
}

// Error names the limit and both figures.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d or more, %d allowed", e.What, e.Actual, e.Allowed)
}

// MultiRefusedError says that the server did not begin a transaction, because the user may not
// or for another reason. Nothing was sent.
type MultiRefusedError struct {
	// Text is the server's error.
	Text string
}

// Error says so in the server's words.
func (e *MultiRefusedError) Error() string { return "MULTI refused: " + e.Text }

// interrupted is the error of a sub-batch whose context ended.
func interrupted(addr, doing string, cause error) error {
	return fmt.Errorf("%s: while %s: %w", addr, doing, cause)
}
