package stall

import (
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// Options say when a call is ended.
type Options struct {
	// Patience is how long nothing of a response may be sent before its call is ended, give or take
	// a quarter, and how long after that before its connection is.
	Patience time.Duration
	// MaxConnections is the most connections that are open at once; zero: any number. Setting is
	// the server's setting for it, as the refusal names it.
	MaxConnections int
	Setting        string
	// Open, if not nil, counts the connections that are open.
	Open *atomic.Int64
	// Refused is told of each connection that was too many, with its number.
	Refused func(remote net.Addr, number int64)
	// Ended is told of each call, or connection, that was ended.
	Ended func(remote net.Addr, connection bool)
}

// Credentials returns credentials that wrap the connections that pass them, behind TLS if there is
// any, and refuse those that are too many.
func Credentials(inner credentials.TransportCredentials, options Options) credentials.TransportCredentials {
	if options.Open == nil {
		options.Open = new(atomic.Int64)
	}
	return wrapped{TransportCredentials: inner, options: &options, places: &places{max: int64(options.MaxConnections), open: options.Open}}
}

type wrapped struct {
	credentials.TransportCredentials
	options *Options
	places  *places
}

// ServerHandshake implements credentials.TransportCredentials.
func (w wrapped) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	// A connection has its place before its handshake, over which callers may take their time.
	give, number := w.places.take()
	if give == nil {
		w.options.Refused(raw.RemoteAddr(), number)
		return nil, nil, w.refuse(raw, number)
	}
	c, info, err := w.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		give()
		return c, info, err
	}
	out := newConn(c, w.options)
	out.give = give
	// gRPC drops a connection without closing it if it can write nothing at its beginning.
	runtime.AddCleanup(out, func(give func()) { give() }, give)
	return out, info, nil
}

// refuse tells a caller, if there are not too many of those as well, behind TLS if there is any.
func (w wrapped) refuse(raw net.Conn, number int64) error {
	defer w.places.lingering.Add(-1)
	if w.places.lingering.Add(1) > maxLingering {
		return ErrTooMany
	}
	_ = raw.SetDeadline(time.Now().Add(lingerTime))
	if c, _, err := w.TransportCredentials.ServerHandshake(raw); err == nil {
		w.places.refuse(c, number, w.options.Setting)
	}
	return ErrTooMany
}

// Clone implements credentials.TransportCredentials.
func (w wrapped) Clone() credentials.TransportCredentials {
	return wrapped{TransportCredentials: w.TransportCredentials.Clone(), options: w.options, places: w.places}
}
