package service

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// Streams is the product, called on one stream that all callers share.
var Streams = subject.Maker{
	Traits: subject.Traits{Name: "valkeybatch, one stream", Outcomes: true},
	Start: func(ctx context.Context, o subject.Options) (subject.Subject, error) {
		s, err := ready(ctx, o)
		if err != nil {
			return nil, err
		}
		return newStream(s)
	},
}

// stream is one stream and who waits for what on it.
type stream struct {
	*Service
	cancel   context.CancelFunc
	received sync.WaitGroup
	calls    grpc.BidiStreamingClient[pb.StreamBatchesRequest, pb.StreamBatchesResponse]
	sending  sync.Mutex

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan *pb.StreamBatchesResponse
	err     error // the stream has ended
}

func newStream(s *Service) (*stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	calls, err := s.client.StreamBatches(ctx)
	if err != nil {
		cancel()
		return nil, errors.Join(err, s.Close())
	}
	st := &stream{Service: s, cancel: cancel, calls: calls, waiting: make(map[uint64]chan *pb.StreamBatchesResponse)}
	st.received.Go(st.receive)
	return st, nil
}

// receive hands each answer to who waits for it.
func (s *stream) receive() {
	for {
		response, err := s.calls.Recv()
		s.mu.Lock()
		if err != nil {
			s.err = err
			for _, w := range s.waiting {
				close(w)
			}
			s.waiting = nil
			s.mu.Unlock()
			return
		}
		if w := s.waiting[response.GetId()]; w != nil {
			delete(s.waiting, response.GetId())
			w <- response
		}
		s.mu.Unlock()
	}
}

// Execute implements [subject.Subject].
func (s *stream) Execute(ctx context.Context, b subject.Batch) ([]subject.Result, *subject.Failure) {
	answer := make(chan *pb.StreamBatchesResponse, 1)
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return nil, failureOf(s.err)
	}
	s.next++
	id := s.next
	s.waiting[id] = answer
	s.mu.Unlock()
	s.sending.Lock()
	err := s.calls.Send(&pb.StreamBatchesRequest{Id: id, Request: s.request(b)})
	s.sending.Unlock()
	if err != nil && !errors.Is(err, io.EOF) { // EOF: receiving tells why
		return nil, failureOf(err)
	}
	timer := time.NewTimer(b.Timeout + patience)
	defer timer.Stop()
	select {
	case response, ok := <-answer:
		if !ok {
			return nil, &subject.Failure{Status: "the stream ended", Message: s.reason(), Outcome: subject.Unknown}
		}
		if e := response.GetError(); e != nil {
			return nil, failure(status.FromProto(&spb.Status{Code: e.GetCode(), Message: e.GetMessage(), Details: e.GetDetails()}))
		}
		return results(response.GetResponse()), nil
	case <-ctx.Done():
		return nil, &subject.Failure{Status: "gone", Message: ctx.Err().Error(), Outcome: subject.Unknown}
	case <-timer.C:
		return nil, &subject.Failure{Status: "no answer", Message: "none on the stream", Outcome: subject.Unknown}
	}
}

func (s *stream) reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return ""
	}
	return s.err.Error()
}

// Close ends the stream and the server.
func (s *stream) Close() error {
	s.cancel()
	s.received.Wait()
	return s.Service.Close()
}
