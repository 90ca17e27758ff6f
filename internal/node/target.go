package node

// Class says what kind of connection a sub-batch travels on.
type Class uint8

const (
	// Ordinary is the shared connection for small sub-batches.
	Ordinary Class = iota
	// Bulk is the shared connection for large sub-batches, which small ones need not wait for.
	Bulk
	// Exclusive is a connection to itself for the time of the sub-batch, which may hold it up
	// or change it. When the context ends the connection is closed, so that the server lets go too.
	Exclusive
	// Blocking is like Exclusive, for commands that wait: apart, so that any number of them
	// leaves connections to those that do not.
	Blocking
	// Atomic is a connection to itself on which a transaction was begun already: see Node.Do.
	Atomic
)

// Classes is how many classes there are.
const Classes = int(Atomic) + 1

// String returns the class's name, which operators see.
func (c Class) String() string {
	switch c {
	case Ordinary:
		return "ordinary"
	case Bulk:
		return "bulk"
	case Exclusive:
		return "exclusive"
	case Blocking:
		return "blocking"
	case Atomic:
		return "atomic"
	}
	return "invalid"
}

// Target says which of a node's connections a sub-batch travels on.
type Target struct {
	Class Class
	// Replica asks for a READONLY connection, on which a cluster's replica serves reads itself.
	Replica bool
	// Asking, for Atomic only, begins the transaction with ASKING.
	Asking bool
}

// State is what is known of a command after Do.
type State uint8

const (
	// NotSent: the node certainly did not execute it. Its last byte was never given to the socket.
	NotSent State = iota
	// Unknown: it was written, or may yet be, and is unanswered: it may have been executed.
	Unknown
	// Acknowledged: there is a reply.
	Acknowledged
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case NotSent:
		return "not sent"
	case Unknown:
		return "unknown"
	case Acknowledged:
		return "acknowledged"
	}
	return "invalid"
}
