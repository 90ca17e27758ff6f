package httpapi

import (
	"context"
	"io"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// streamBatches is the contract's method of that name.
func (a *api) streamBatches(ctx context.Context, conn *connect.BidiStream[streamRequest, answer]) error {
	s := &stream{api: a, conn: conn, ctx: ctx, call: callOf(ctx)}
	handler := func(_ any, stream grpc.ServerStream) error { return a.batches.StreamBatches(stream, a.onStream) }
	var err error
	if a.stream == nil {
		err = handler(a.batches, s)
	} else {
		info := &grpc.StreamServerInfo{FullMethod: pathStreamBatches, IsClientStream: true, IsServerStream: true}
		err = a.stream(a.batches, s, info, handler)
	}
	s.end()
	s.call.headers(conn.ResponseHeader(), conn.ResponseTrailer())
	if err != nil {
		return s.call.failed(err)
	}
	return nil
}

// stream is a stream of connect-go as one of gRPC.
type stream struct {
	api  *api
	conn *connect.BidiStream[streamRequest, answer]
	ctx  context.Context
	call *call

	mu      sync.Mutex // guards the next two
	ended   bool
	sending int
	active  sync.WaitGroup // of RecvMsg and SendMsg
}

var _ grpc.ServerStream = (*stream)(nil)

// Context implements grpc.ServerStream.
func (s *stream) Context() context.Context { return s.ctx }

// SetHeader implements grpc.ServerStream.
func (s *stream) SetHeader(md metadata.MD) error { return s.call.SetHeader(md) }

// SendHeader implements grpc.ServerStream. The headers go with the first answer.
func (s *stream) SendHeader(md metadata.MD) error { return s.call.SendHeader(md) }

// SetTrailer implements grpc.ServerStream.
func (s *stream) SetTrailer(md metadata.MD) { _ = s.call.SetTrailer(md) }

// RecvMsg implements grpc.ServerStream for a [*wire.StreamRequest].
func (s *stream) RecvMsg(m any) error {
	req, ok := m.(*wire.StreamRequest)
	if !ok {
		return service.Internal()
	}
	if !s.begin(0) {
		return io.EOF
	}
	defer s.done(0)
	in, err := s.conn.Receive()
	if err != nil {
		return grpcError(err)
	}
	in.take(req)
	return nil
}

// SendMsg implements grpc.ServerStream for a [*wire.Response].
func (s *stream) SendMsg(m any) error {
	resp, ok := m.(*wire.Response)
	if !ok {
		return service.Internal()
	}
	if !s.begin(1) {
		resp.Free()
		return io.EOF
	}
	defer s.done(1)
	data, free, err := answerOn(resp, s.call.json)
	if err != nil {
		return err
	}
	defer free()
	s.call.headers(s.conn.ResponseHeader(), nil)
	if err := s.conn.Send(&answer{data: data}); err != nil {
		return grpcError(err)
	}
	return nil
}

// begin reports whether the stream is there for another message, which it then waits for.
func (s *stream) begin(sending int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.active.Add(1)
	s.sending += sending
	return true
}

func (s *stream) done(sending int) {
	s.mu.Lock()
	s.sending -= sending
	s.mu.Unlock()
	s.active.Done()
}

// end waits for the receiver and the sender, which the service leaves behind: nobody may use an
// HTTP request when its handler has returned. Those that wait for the caller wait no longer.
func (s *stream) end() {
	s.mu.Lock()
	s.ended = true
	stuck := s.sending > 0
	s.mu.Unlock()
	s.call.body.abort()
	if stuck {
		s.call.writer.abort()
	}
	s.active.Wait()
}
