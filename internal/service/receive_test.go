package service

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// lateSource is a call whose request stops at one point until the call is ended, and goes on then, as
// what arrives at that very moment does.
type lateSource struct {
	length int    // of the message
	stops  string // "message" or "end"
	heads  int
	ended  chan *status.Status
}

func (l *lateSource) ReadMessageHeader(header []byte) error {
	if l.heads++; l.heads == 1 {
		binary.BigEndian.PutUint32(header[1:], uint32(l.length))
		return nil
	}
	l.stop("end")
	return io.EOF
}

func (l *lateSource) Read(n int) (mem.BufferSlice, error) {
	l.stop("message")
	return mem.BufferSlice{mem.SliceBuffer(make([]byte, n))}, nil
}

func (l *lateSource) stop(where string) {
	if where == l.stops {
		l.ended <- <-l.ended
	}
}

func (l *lateSource) WriteStatus(st *status.Status) error {
	l.ended <- st
	return nil
}

// TestLateRequests: a request of which a part, or the end alone, comes too late holds nothing of what
// is counted, and is never carried out once its caller was told that it was not.
func TestLateRequests(t *testing.T) {
	for _, stops := range []string{"message", "end"} {
		t.Run(stops, func(t *testing.T) {
			s := New(Config{Limits: Limits{StreamStall: 20 * time.Millisecond}})
			source := &lateSource{length: smallMessage + 1, stops: stops, ended: make(chan *status.Status, 1)}
			r := &receiver{source: source, limits: &s.limits, arriving: &s.arriving}
			req := wire.GetRequest()
			defer req.Release()
			err := s.receiveCall(context.Background(), r, req)
			if told := <-source.ended; status.Code(err) != codes.ResourceExhausted || told.Message() != status.Convert(err).Message() {
				t.Errorf("got %v, and the caller %v", err, told)
			}
			if n := s.Arriving(); n != 0 || req.Arrived != 0 {
				t.Errorf("%d bytes are counted still", n)
			}
		})
	}
}

// pieceSource is a long message that comes as it is asked for; begun is called with its first piece.
type pieceSource struct {
	length int
	begun  func()
	once   sync.Once
}

func (p *pieceSource) ReadMessageHeader(header []byte) error {
	binary.BigEndian.PutUint32(header[1:], uint32(p.length))
	return nil
}

func (p *pieceSource) Read(n int) (mem.BufferSlice, error) {
	p.once.Do(p.begun)
	return mem.BufferSlice{mem.SliceBuffer(make([]byte, n))}, nil
}

func (p *pieceSource) WriteStatus(*status.Status) error { return nil }

// TestMessagesThatWaitForEachOther: messages of streams that have taken all the room together, and
// lack some each, get to their ends one after the other.
func TestMessagesThatWaitForEachOther(t *testing.T) {
	const messages, length = 6, 4 * receivePiece
	s := New(Config{Limits: Limits{RequestBytes: length, InFlightBytes: messages * receivePiece, StreamStall: time.Hour}})
	var begun, ended sync.WaitGroup
	begun.Add(messages)
	for range messages {
		source := &pieceSource{length: length, begun: func() {
			begun.Done()
			begun.Wait()
		}}
		r := &receiver{source: source, limits: &s.limits, arriving: &s.arriving, waits: t.Context().Done()}
		ended.Go(func() {
			data, counted, err := r.receive()
			if err != nil || counted != length || data.Len() != length {
				t.Errorf("received %d bytes, %d counted: %v", data.Len(), counted, err)
			}
			data.Free()
			s.arriving.give(counted)
		})
	}
	ended.Wait()
	if n := s.Arriving(); n != 0 || s.arriving.first.Load() {
		t.Errorf("%d bytes are counted still, first %v", n, s.arriving.first.Load())
	}
}
