package stall

import (
	"context"
	"reflect"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// Call is a call on a wrapped connection. The zero value is a call that is not watched.
type Call struct {
	conn   *conn
	stream uint32
}

// Of returns the call whose context this is.
func Of(ctx context.Context) Call {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Call{}
	}
	a, ok := p.Addr.(*addr)
	if !ok {
		return Call{}
	}
	return Call{conn: a.conn, stream: streamID(ctx)}
}

// idField is where gRPC's streams, of the type that it was looked for in, keep their number; the
// index is nil where there is none.
type idField struct {
	in    reflect.Type
	index []int
}

var lastField atomic.Pointer[idField]

// streamID is the number of the call's HTTP/2 stream, which gRPC keeps to itself; 0 where it
// is not found.
func streamID(ctx context.Context) uint32 {
	v := reflect.ValueOf(grpc.ServerTransportStreamFromContext(ctx))
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return 0
	}
	v = v.Elem()
	field := lastField.Load()
	if field == nil || field.in != v.Type() {
		field = &idField{in: v.Type()}
		if v.Kind() == reflect.Struct {
			if f, ok := v.Type().FieldByName("id"); ok && f.Type.Kind() == reflect.Uint32 {
				field.index = f.Index
			}
		}
		lastField.Store(field)
	}
	if field.index == nil {
		return 0
	}
	return uint32(v.FieldByIndex(field.index).Uint())
}

// Watch watches an item that is about to be sent, until its entry's Done.
func (c Call) Watch(e *Entry, item Item) {
	if c.conn != nil && c.stream != 0 {
		c.conn.watch(e, item, c.stream)
	}
}
