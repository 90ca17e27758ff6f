package control

import (
	"errors"
	"fmt"
	"strings"
)

// ErrClosed is what a closed [Client] answers.
var ErrClosed = errors.New("control: the client is closed")

// NodeError is what went wrong with one node.
type NodeError struct {
	// Addr is the node's address.
	Addr string
	// Err is the reason: the network's, the context's, or the server's reply.
	Err error
}

// Error names the node and the reason.
func (e *NodeError) Error() string { return e.Addr + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *NodeError) Unwrap() error { return e.Err }

// UnavailableError says that no node gave a usable answer.
type UnavailableError struct {
	// Want is what was wanted, for instance "the topology".
	Want string
	// Nodes are the failures, one per node asked.
	Nodes []*NodeError
}

// Error names what was wanted and the first few failures.
func (e *UnavailableError) Error() string {
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "no node could be asked for %s", e.Want)
	for i, n := range e.Nodes {
		if i == shown {
			fmt.Fprintf(&b, "; and %d more", len(e.Nodes)-shown)
			break
		}
		b.WriteString(map[bool]string{true: ": ", false: "; "}[i == 0])
		b.WriteString(n.Error())
	}
	return b.String()
}

// Unwrap returns the failures.
func (e *UnavailableError) Unwrap() []error {
	errs := make([]error, len(e.Nodes))
	for i, n := range e.Nodes {
		errs[i] = n
	}
	return errs
}

// ReplyError says that a node's reply is not what the command answers with.
type ReplyError struct {
	// Command is the command that was sent, for instance "CLUSTER SLOTS".
	Command string
	// Reason says what is wrong with the reply.
	Reason string
}

// Error names the command and what is wrong with its reply.
func (e *ReplyError) Error() string { return e.Command + ": " + e.Reason }

// HandshakeError says that a node refused the connection, or the credentials.
type HandshakeError struct {
	// Text is the node's answer as [resp.Refusal] words it: never with the password.
	Text string
}

// Error gives the answer.
func (e *HandshakeError) Error() string { return "handshake: " + e.Text }

// StateError says that a node can be reached, but that the deployment cannot serve.
type StateError struct {
	// State is what the node says of itself, for instance "cluster_state:fail".
	State string
}

// Error gives the state.
func (e *StateError) Error() string { return "not ready to serve: " + e.State }
