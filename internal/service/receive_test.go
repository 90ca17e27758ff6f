package service

import (
	"context"
	"encoding/binary"
	"io"
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
			r := &receiver{source: source, limits: s.limits, arriving: &s.arriving}
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
