package stall

import (
	"net"
	"runtime"
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
	// Refused is told of each connection that was too many, with its number.
	Refused func(remote net.Addr, number int64)
	// Ended is told of each call, or connection, that was ended.
	Ended func(remote net.Addr, connection bool)
}

// Credentials returns credentials that wrap the connections that pass them, behind TLS if there is
// any, and refuse those that are too many.
func Credentials(inner credentials.TransportCredentials, options Options) credentials.TransportCredentials {
	return wrapped{TransportCredentials: inner, options: &options, places: &places{max: int64(options.MaxConnections)}}
}

type wrapped struct {
	credentials.TransportCredentials
	options *Options
	places  *places
}

// ServerHandshake implements credentials.TransportCredentials.
func (w wrapped) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, info, err := w.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return c, info, err
	}
	give, number := w.places.take()
	if give == nil {
		w.options.Refused(c.RemoteAddr(), number)
		w.places.refuse(c, number, w.options.Setting)
		return nil, nil, ErrTooMany
	}
	out := newConn(c, w.options)
	out.give = give
	// gRPC drops a connection without closing it if it can write nothing at its beginning.
	runtime.AddCleanup(out, func(give func()) { give() }, give)
	return out, info, nil
}

// Clone implements credentials.TransportCredentials.
func (w wrapped) Clone() credentials.TransportCredentials {
	return wrapped{TransportCredentials: w.TransportCredentials.Clone(), options: w.options, places: w.places}
}
