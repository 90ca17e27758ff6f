package httpapi

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Connections bound callers' connections.
type Connections struct {
	// Max is the most that are open at once, on all listeners together; zero: any number.
	Max int
	// Refused is told of each that was too many, and so closed at once, with its number.
	Refused func(remote net.Addr, number int64)
	// Age is how old one may become, give or take a tenth, before the next answer on it tells the
	// client to make another; zero: any age. When AgeGrace has passed after that it is cut off.
	Age, AgeGrace time.Duration
}

// connections are those that are open.
type connections struct {
	Connections
	open     atomic.Int64
	draining atomic.Bool
}

// listener gives out the connections of a listener that are not too many.
type listener struct {
	net.Listener
	connections *connections
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if admitted := l.connections.admit(c); admitted != nil {
			return admitted, nil
		}
	}
}

// conn is a connection that counts.
type conn struct {
	net.Conn
	end func() // once
	old time.Time
}

// admit counts a connection until it is closed. It closes one that is too many, and returns nil.
func (o *connections) admit(c net.Conn) net.Conn {
	number := o.open.Add(1)
	if o.Max > 0 && number > int64(o.Max) {
		o.open.Add(-1)
		_ = c.Close() // nobody is told
		o.Refused(c.RemoteAddr(), number)
		return nil
	}
	out := &conn{Conn: c}
	cut := func() bool { return true }
	if o.Age > 0 {
		// Those that were made at one time are not to be made anew at one.
		age := o.Age - o.Age/10 + rand.N(o.Age/5+1)
		out.old = time.Now().Add(age)
		cut = time.AfterFunc(age+o.AgeGrace, func() { _ = c.Close() }).Stop
	}
	out.end = sync.OnceFunc(func() {
		cut()
		o.open.Add(-1)
	})
	return out
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.end()
	return c.Conn.Close()
}

// CloseWrite is for net/http, which ends a connection so that what it wrote last still arrives.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

// oldKey is the key of when a connection is old.
type oldKey struct{}

// context returns the context of the calls on a connection.
func (o *connections) context(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = secured.NetConn()
	}
	if c, ok := c.(*conn); ok && !c.old.IsZero() {
		return context.WithValue(ctx, oldKey{}, c.old)
	}
	return ctx
}

// ending has the answers of connections that are to end say so: of those that are old, and, as soon as
// the server drains, of those with HTTP/1.1. A client of that protocol that is told so sends no further
// request into a connection that closes; over HTTP/2 the end of the drain has its own way to tell.
func (o *connections) ending(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 {
			w = &lastAnswer{ResponseWriter: w, connections: o, request: r}
		} else if isOld(r) {
			w.Header().Set("Connection", "close") // which makes net/http send a GOAWAY
		}
		next.ServeHTTP(w, r)
	})
}

func isOld(r *http.Request) bool {
	old, ok := r.Context().Value(oldKey{}).(time.Time)
	return ok && time.Now().After(old)
}

// lastAnswer is an answer that may be the last of its connection, which is looked at as late as
// there is: a call can be longer than what is left of the connection.
type lastAnswer struct {
	http.ResponseWriter
	connections *connections
	request     *http.Request
	said        bool
}

// WriteHeader implements http.ResponseWriter.
func (a *lastAnswer) WriteHeader(status int) {
	a.say()
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *lastAnswer) Write(p []byte) (int, error) {
	a.say()
	return a.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (a *lastAnswer) Flush() {
	a.say()
	_ = http.NewResponseController(a.ResponseWriter).Flush() // what it could tell, the next Write does
}

// Unwrap is for http.ResponseController.
func (a *lastAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *lastAnswer) say() {
	if !a.said && (a.connections.draining.Load() || isOld(a.request)) {
		a.Header().Set("Connection", "close")
	}
	a.said = true
}
