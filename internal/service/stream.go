package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/stall"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// maxIdleWorkers is how many goroutines of a stream are kept for its next batches. A new one
// costs more than its start: its stack has to grow anew.
const maxIdleWorkers = 64

// maxUnsent is how many bytes of answers may wait for a stream's caller to read before no
// further batches of the stream are begun.
const maxUnsent = 64 << 20

// retryDraining is what callers of a stream are told when the server shuts down: another
// server is there already, or the next one is soon.
const retryDraining = 100 * time.Millisecond

// Drain makes streams take no further batches, answer those they have taken, and end. It is
// for the server's shutdown and may be called more than once.
func (s *Service) Drain() { s.drain.Do(func() { close(s.draining) }) }

// Draining is the status of what ends because the server shuts down.
func Draining(message string) error {
	return failure{code: codes.Unavailable, reason: ReasonDraining, retry: retryDraining, message: message}.status().Err()
}

// StreamBatches implements [Handler]: the contract's method of that name.
func (s *Service) StreamBatches(stream grpc.ServerStream, execute ExecuteFunc) error {
	if _, err := s.streams.begin(); err != nil {
		return s.statusError(stream.Context(), nil, err)
	}
	defer s.streams.end()
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	incoming := s.receiver(stream.Context())
	if incoming != nil {
		incoming.waits = ctx.Done()
	}
	b := &batchStream{
		call: stall.Of(stream.Context()),
		next: func(req *wire.StreamRequest) error { return s.receiveOn(stream, incoming, req) },
		release: func(req *wire.Request) {
			s.arrived(req)
			req.Release()
		},
		stream:   stream,
		ctx:      ctx,
		cancel:   cancel,
		execute:  execute,
		limit:    s.limits.StreamBatches,
		patience: s.limits.StreamStall,
		jobs:     make(chan *wire.StreamRequest),
		closed:   make(chan struct{}),
		drained:  make(chan struct{}, 1),
		defect:   make(chan struct{}, 1),
		logger:   s.logger,
	}
	stuck := make(chan struct{})
	b.stall = time.AfterFunc(s.limits.StreamStall, sync.OnceFunc(func() { close(stuck) }))
	b.stall.Stop()
	received := make(chan error, 1)
	// Receiving cannot be interrupted but by the end of the call, so the receiver is left behind
	// when the stream ends for another reason, and ends right after it. What it receives then
	// is not executed.
	go func() {
		defer b.guard()
		received <- b.receive()
	}()
	var err error
	select {
	case err = <-received:
		b.close()
	case <-stuck:
		b.close()
		return s.stalled()
	case <-b.defect:
		b.close()
		return Internal()
	case <-s.draining:
		b.close()
		err = Draining("the server is shutting down: batches of this stream that are not answered were not executed")
	}
	waited := make(chan struct{})
	go func() {
		b.running.Wait()
		close(waited)
	}()
	select {
	case <-waited:
	case <-b.defect:
		return Internal()
	case <-stuck:
		// The sender is let go by the end of the call, and the workers with it.
		return s.stalled()
	}
	select {
	case <-b.defect: // of the last worker
		return Internal()
	default:
	}
	if sendErr := b.sendError(); sendErr != nil {
		return sendErr
	}
	return err
}

// stalled is the status of a stream whose caller reads no answers.
func (s *Service) stalled() error {
	return failure{code: codes.ResourceExhausted, reason: ReasonStalled,
		message: fmt.Sprintf("no answer was taken for %v%s: batches of this stream that are not answered may have been executed",
			s.limits.StreamStall, setBy(SettingStreamStall)),
		metadata: map[string]string{"limit": "stream stall", "allowed": s.limits.StreamStall.String(), "setting": SettingStreamStall},
	}.status().Err()
}

// batchStream is the batches of one stream.
type batchStream struct {
	stream  grpc.ServerStream
	next    func(*wire.StreamRequest) error // receives a request
	release func(*wire.Request)
	call    stall.Call
	ctx     context.Context
	cancel  context.CancelFunc
	execute ExecuteFunc
	limit   int
	// patience is how long the caller may leave an answer.
	patience time.Duration

	jobs    chan *wire.StreamRequest // to a worker that is idle
	closed  chan struct{}            // no further batches are begun
	running sync.WaitGroup           // workers

	mu      sync.Mutex // guards the fields below
	ended   bool       // closed is closed
	workers int
	idle    int  // workers that wait for a batch and have none promised
	waiting bool // the receiver waits for a worker

	sending sync.Mutex // held while a response is sent; guards the next two
	sendErr error
	stall   *time.Timer // runs while a response is sent

	unsent  atomic.Int64  // bytes of answers that wait to be sent
	drained chan struct{} // tells that they have become few

	defect chan struct{} // tells that a goroutine of the stream met one
	logger *slog.Logger
}

// receive takes requests and has them carried out until the caller has sent all. When as many
// are carried out as are allowed it reads no further, which makes the caller wait.
func (b *batchStream) receive() error {
	for {
		for b.unsent.Load() > maxUnsent {
			select {
			case <-b.drained:
			case <-b.closed:
				return nil
			}
		}
		req := &wire.StreamRequest{}
		if err := b.next(req); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if req.Err != nil {
			b.release(req.Request)
			f, _ := classify(nil, req.Err)
			return f.status().Err()
		}
		if !b.begin(req) {
			b.release(req.Request)
			return nil
		}
	}
}

// begin has a batch carried out, waiting for its turn. It reports false when the stream has ended.
func (b *batchStream) begin(req *wire.StreamRequest) bool {
	b.mu.Lock()
	switch {
	case b.ended:
		b.mu.Unlock()
		return false
	case b.idle == 0 && b.workers < b.limit:
		b.workers++
		b.running.Add(1)
		b.mu.Unlock()
		go b.work(req)
		return true
	}
	if b.idle > 0 {
		b.idle-- // that worker is this batch's: the next one is not to count on it
	} else {
		b.waiting = true
	}
	b.mu.Unlock()
	select {
	case b.jobs <- req:
		return true
	case <-b.closed:
		return false
	}
}

// close makes the workers end when they have done what they have begun.
func (b *batchStream) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	close(b.closed)
}

// work carries out one batch after the other.
func (b *batchStream) work(req *wire.StreamRequest) {
	defer b.running.Done()
	defer b.guard()
	for req != nil {
		b.answer(req)
		req = b.another()
	}
}

// another waits for another batch; nil: there is none for this worker.
func (b *batchStream) another() *wire.StreamRequest {
	b.mu.Lock()
	if b.ended || b.idle >= maxIdleWorkers && !b.waiting {
		b.workers--
		b.mu.Unlock()
		return nil
	}
	if b.waiting {
		b.waiting = false
	} else {
		b.idle++
	}
	b.mu.Unlock()
	select {
	case req := <-b.jobs:
		return req
	case <-b.closed:
		return nil
	}
}

// guard, deferred, makes a defect end the stream and not the process: none of its goroutines is
// behind the recovery of gRPC's handlers. What executes a batch has its own.
func (b *batchStream) guard() {
	if v := recover(); v != nil {
		b.logger.ErrorContext(b.ctx, "a stream met a defect", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		select {
		case b.defect <- struct{}{}:
		default:
		}
	}
}

// answer carries out one batch and sends what came of it.
func (b *batchStream) answer(req *wire.StreamRequest) {
	defer b.release(req.Request)
	resp, err := b.execute(b.ctx, req.Request)
	if err != nil {
		resp = wire.NewStreamError(req.ID, encodeStatus(err))
	} else {
		resp.ForStream(req.ID)
	}
	size := int64(resp.Size())
	b.unsent.Add(size)
	defer func() {
		if left := b.unsent.Add(-size); left <= maxUnsent && left+size > maxUnsent {
			select {
			case b.drained <- struct{}{}:
			default:
			}
		}
	}()
	b.sending.Lock()
	defer b.sending.Unlock()
	if b.sendErr == nil {
		b.stall.Reset(b.patience)
		resp.Watch(b.call)
		b.sendErr = b.stream.SendMsg(resp)
		b.stall.Stop()
		if b.sendErr == nil {
			return
		}
		b.cancel() // nobody is there for the others' answers either
	}
	resp.Free()
}

// sendError returns why a response could not be sent, nil if all were.
func (b *batchStream) sendError() error {
	b.sending.Lock()
	defer b.sending.Unlock()
	return b.sendErr
}

// encodeStatus returns a status as an encoded BatchStatus.
func encodeStatus(err error) []byte {
	st := status.Convert(err).Proto()
	b, err := proto.Marshal(&valkeybatchv1.BatchStatus{Code: st.GetCode(), Message: st.GetMessage(), Details: st.GetDetails()})
	if err != nil { // its message is not UTF-8, which no status of this package's is
		b, _ = proto.Marshal(&valkeybatchv1.BatchStatus{Code: st.GetCode()})
	}
	return b
}
