package service

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/wire"
)

const (
	// MaxOverBytes is how much longer than the largest batch a message may be before it is refused
	// unread, by the length that it begins with. Within it the error has the batch's own figures.
	MaxOverBytes = 1 << 20
	// smallMessage is the longest message that is received without being counted: as many of them
	// as calls may be open are a bounded matter.
	smallMessage = 64 << 10
	// receivePiece is how much of a longer message is asked for at a time. Each piece is counted
	// before it is asked for, and has its own time to arrive.
	receivePiece = 4 << 20
	// headerBytes is the length of what a message begins with: whether it is compressed, and its length.
	headerBytes = 5
	// roomTick is how often a message that waits for room looks for it.
	roomTick = 20 * time.Millisecond
)

// messageSource is the gRPC stream under a call. It is read here, instead of by gRPC, so that a
// message is refused by its length and counted before memory is spent on it, and by a status of
// this service's. gRPC's own refusal has no details, and its reception no bounds but the length.
type messageSource interface {
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
	WriteStatus(st *status.Status) error
}

// sourceOf returns the stream under a call; nil where it is not gRPC's own.
func sourceOf(ctx context.Context) messageSource {
	source, _ := grpc.ServerTransportStreamFromContext(ctx).(messageSource)
	return source
}

// receiver receives the messages of one call.
type receiver struct {
	source messageSource
	limits *Limits
	// header is what is read of a message before its length is known.
	header [headerBytes]byte
	// arriving counts the bytes of all messages that are on their way in.
	arriving *arriving
	// waits, if not nil, has a message wait where too many are on their way, instead of being
	// refused, until it is closed.
	waits <-chan struct{}
	// known, if not nil, tells whether it is known who makes the call of this context. No room is
	// taken for a message before it is.
	known func(context.Context) error
	ctx   context.Context
}

// receive returns the next message, and io.EOF when the caller has sent all. What it counts as
// among the bytes that are arriving is the message's until [Service.arrived].
func (r *receiver) receive() (data mem.BufferSlice, counted int64, err error) {
	header := r.header[:]
	if err := r.source.ReadMessageHeader(header); errors.Is(err, io.EOF) {
		return nil, 0, err
	} else if err != nil {
		return nil, 0, truncated(err)
	}
	switch header[0] {
	case 0:
	case 1: // with any encoding but identity the call has failed already: no compressor is linked in
		return nil, 0, status.Error(codes.Internal, "the message is marked as compressed, and the call names no encoding")
	default:
		return nil, 0, status.Errorf(codes.Internal, "the message begins with %d, which is no format", header[0])
	}
	length := int64(binary.BigEndian.Uint32(header[1:]))
	if most := r.limits.RequestBytes + MaxOverBytes; length > most {
		return nil, 0, &LimitError{Field: "batch", What: "message bytes", Unit: "bytes", Setting: SettingRequestBytes, Actual: length, Allowed: most}
	}
	if length <= smallMessage {
		data, err := r.source.Read(int(length))
		return data, 0, truncated(err)
	}
	return r.receiveLong(length)
}

// receiveLong receives a message piece by piece.
func (r *receiver) receiveLong(length int64) (data mem.BufferSlice, counted int64, err error) {
	defer func() {
		if err != nil {
			data.Free()
			r.arriving.give(counted)
			data, counted = nil, 0
		}
	}()
	if r.known != nil {
		if err := r.known(r.ctx); err != nil {
			return nil, 0, err
		}
	}
	late := r.lateAfter(min(length, receivePiece))
	defer func() {
		if lateErr := late.stop(); err == nil {
			err = lateErr
		}
	}()
	first := false
	defer func() {
		if first {
			r.arriving.first.Store(false)
		}
	}()
	for got := int64(0); got < length; {
		n := min(length-got, receivePiece)
		if first {
			r.arriving.bytes.Add(n)
		} else if first, err = r.room(n, got > 0); err != nil {
			return data, counted, err
		}
		counted += n
		late.timer.Reset(r.limits.StreamStall)
		piece, err := r.source.Read(int(n))
		if err != nil {
			return data, counted, truncated(err)
		}
		data = append(data, piece...)
		got += n
	}
	return data, counted, nil
}

// room counts n bytes more, waiting for room where that is wanted. Messages that have begun would
// wait for each other's for ever: one of them becomes the first, which need not wait.
func (r *receiver) room(n int64, begun bool) (first bool, err error) {
	if err := r.arriving.take(n); err == nil || r.waits == nil {
		return false, err
	}
	tick := time.NewTicker(roomTick)
	defer tick.Stop()
	for end := time.Now().Add(r.limits.StreamStall * 4 / 5); ; {
		if begun && r.arriving.first.CompareAndSwap(false, true) {
			r.arriving.bytes.Add(n)
			return true, nil
		}
		err := r.arriving.take(n)
		if err == nil || time.Now().After(end) {
			return false, err
		}
		select {
		case <-tick.C:
		case <-r.waits:
			return false, err
		}
	}
}

// late is the error of a call of whose message so many bytes, or the beginning, do not arrive.
func (r *receiver) late(n int64) *StallError {
	what := "a message"
	if n > 0 {
		what = fmt.Sprintf("%d bytes of a message", n)
	}
	return &StallError{What: what, Allowed: r.limits.StreamStall, limit: "message stall"}
}

// lateness ends a call when its message does not arrive in time.
type lateness struct {
	timer  *time.Timer
	over   atomic.Bool // it has arrived, or was too late
	status func() *status.Status
}

// lateAfter ends the call with a status if the next n bytes of a message do not arrive in time, and
// so the wait for them.
func (r *receiver) lateAfter(n int64) *lateness {
	l := &lateness{status: func() *status.Status { return r.late(n).failure().status() }}
	l.timer = time.AfterFunc(r.limits.StreamStall, func() {
		if l.over.CompareAndSwap(false, true) {
			_ = r.source.WriteStatus(l.status())
		}
	})
	return l
}

// stop takes note that the message has arrived. Its error is what the caller was told if that was
// too late: what was said not to have been executed must not be, however close it was.
func (l *lateness) stop() error {
	l.timer.Stop()
	if !l.over.CompareAndSwap(false, true) {
		return l.status().Err()
	}
	return nil
}

// truncated is the error of a message that ended early.
func truncated(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Internal, "the message ends before its length: "+err.Error())
}

// arriving counts the bytes of messages on their way in. Its limit is that of the batches in
// flight, which they become.
type arriving struct {
	max   int64
	bytes atomic.Int64
	// first is whether one message, which had begun, goes on beyond the limit, so that there is always
	// one that gets to its end.
	first atomic.Bool
}

// take counts n bytes more, or returns an [*OverloadError].
func (a *arriving) take(n int64) error {
	if bytes := a.bytes.Add(n); bytes > a.max {
		a.bytes.Add(-n)
		return &OverloadError{What: "request bytes on their way in", Setting: SettingInFlightBytes, Actual: bytes, Allowed: a.max}
	}
	return nil
}

func (a *arriving) give(n int64) { a.bytes.Add(-n) }

// receiver returns the receiver of a call, nil where gRPC has to receive by itself.
func (s *Service) receiver(ctx context.Context) *receiver {
	source := sourceOf(ctx)
	if source == nil {
		return nil
	}
	return &receiver{source: source, limits: &s.limits, arriving: &s.arriving}
}

// ReceiveCall implements [Handler].
func (s *Service) ReceiveCall(ctx context.Context, req *wire.Request, decode func(any) error) (err error) {
	open, err := s.awaited.begin()
	if err != nil {
		return s.statusError(ctx, nil, err)
	}
	defer s.awaited.end()
	r := s.receiver(ctx)
	if r == nil {
		return decode(req)
	}
	r.known, r.ctx = s.known, ctx // streams are let in before they are received from
	// One that never sends its request takes a place. While there are plenty that is no matter.
	if open > s.awaited.max/2 {
		late := r.lateAfter(0)
		defer func() {
			if lateErr := late.stop(); err == nil && lateErr != nil {
				s.arrived(req)
				err = lateErr
			}
		}()
	}
	return s.receiveCall(ctx, r, req)
}

// AwaitCall implements [Handler].
func (s *Service) AwaitCall(ctx context.Context) (end func(), err error) {
	if _, err := s.awaited.begin(); err != nil {
		return nil, s.statusError(ctx, nil, err)
	}
	if s.known != nil {
		if err := s.known(ctx); err != nil {
			s.awaited.end()
			return nil, err
		}
	}
	return s.awaited.end, nil
}

// EndCall implements [Handler].
func (s *Service) EndCall(req *wire.Request) {
	s.arrived(req) // an interceptor may have kept it from being admitted
}

// receiveCall receives the request of a unary call.
func (s *Service) receiveCall(ctx context.Context, r *receiver, req *wire.Request) error {
	data, counted, err := r.receive()
	if err != nil {
		return s.receiveError(ctx, err)
	}
	req.Receive(data)
	data.Free()
	req.Arrived = counted
	if err := r.awaitEnd(counted > 0); err != nil {
		s.arrived(req)
		return err
	}
	return nil
}

// awaitEnd waits for the end of a call's request, as gRPC does; of one that is counted not for ever.
func (r *receiver) awaitEnd(counted bool) error {
	var late *lateness
	if counted {
		late = r.lateAfter(0)
	}
	err := r.source.ReadMessageHeader(r.header[:1])
	if late != nil {
		if lateErr := late.stop(); lateErr != nil {
			return lateErr
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return status.Error(codes.Internal, "the call has several requests, and takes one")
	}
	return err
}

// receiveOn receives the next request of a stream.
func (s *Service) receiveOn(stream grpc.ServerStream, r *receiver, req *wire.StreamRequest) error {
	if r == nil {
		return stream.RecvMsg(req)
	}
	data, counted, err := r.receive()
	if errors.Is(err, io.EOF) {
		return err
	}
	if err != nil {
		return streamRefusal(err)
	}
	req.Receive(data)
	data.Free()
	req.Request.Arrived = counted
	return nil
}

// streamRefusal is the status of a stream that ends with a request that was not received: it says
// nothing of what ran.
func streamRefusal(err error) error {
	f, known := classify(nil, err)
	if !known {
		return err // gRPC's own
	}
	f.retry = 0
	f.message += "; batches of this stream that are not answered may have been executed"
	return f.status().Err()
}

// receiveError makes a status of an error of receive.
func (s *Service) receiveError(ctx context.Context, err error) error {
	switch err.(type) {
	case *LimitError, *OverloadError:
		return s.statusError(ctx, nil, err)
	}
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Internal, "the call has no request")
	}
	return err
}

// arrived ends the counting of a request among those on their way in.
func (s *Service) arrived(req *wire.Request) {
	if req.Arrived > 0 {
		s.arriving.give(req.Arrived)
		req.Arrived = 0
	}
}
