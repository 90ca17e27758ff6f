package proxy

import "time"

// Condition is the state of the network. The zero value is a network that is well.
type Condition struct {
	// Latency holds up every piece of data, in both directions.
	Latency time.Duration
	// Rate is how many bytes a second pass in each direction of a connection; 0: any number.
	Rate int
	// Withheld lets no byte through, neither way, and leaves connections open. New ones are
	// accepted, since the kernel does that, and stay silent. What was sent meanwhile arrives when
	// it ends.
	Withheld bool
	// Refuse closes the port, so that new connections are refused. Those that are open stay.
	Refuse bool
	// ResetUp and ResetDown reset a connection, both ends of it, once that many further bytes have
	// passed to the server, or to the client; each connection is given a number of its own from 1
	// to this one. 0: never.
	ResetUp, ResetDown int
}
