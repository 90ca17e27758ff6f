package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

type batchStream = grpc.BidiStreamingClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse]

// stream opens a stream of batches.
func (r *running) stream(t *testing.T, ctx context.Context) batchStream {
	t.Helper()
	s, err := r.client(t).StreamBatches(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sendOn(t *testing.T, s batchStream, id uint64, req *valkeybatchv1.ExecuteBatchRequest) {
	t.Helper()
	if err := s.Send(&valkeybatchv1.StreamBatchesRequest{Id: id, Request: req}); err != nil {
		t.Fatal(err)
	}
}

func receiveOn(t *testing.T, s batchStream) *valkeybatchv1.StreamBatchesResponse {
	t.Helper()
	answer, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// statusIn reads a BatchStatus as what it reads as: a google.rpc.Status.
func statusIn(t *testing.T, answer *valkeybatchv1.StreamBatchesResponse) error {
	t.Helper()
	encoded, err := proto.Marshal(answer.GetError())
	if err != nil {
		t.Fatal(err)
	}
	st := &rpcstatus.Status{}
	if err := proto.Unmarshal(encoded, st); err != nil {
		t.Fatal(err)
	}
	return status.FromProto(st).Err()
}

// TestStream sends batches of all kinds on one stream: each is answered by its id with what a
// call of its own would have ended with.
func TestStream(t *testing.T) {
	srv := valkeytest.StartServer(t)
	r := start(t, settings(t, "--valkey", srv.Addr()))
	s := r.stream(t, testContext(t))
	srv.MustDo(t, "SET", "other", "x")
	raise := batch([]string{"SET", "text", "x"}, []string{"LPOP", "text"})
	raise.RaiseOnError = true
	sendOn(t, s, 1, batch([]string{"SET", "k", "v"}, []string{"GET", "k"}))
	sendOn(t, s, 2, batch([]string{"PING"}, nil))
	sendOn(t, s, 3, raise)
	sendOn(t, s, 1<<63, batch([]string{"LPOP", "other"}))
	sendOn(t, s, 0, nil)
	atomic := batch([]string{"INCR", "n"}, []string{"INCR", "n"})
	atomic.Batch.IsAtomic = true
	sendOn(t, s, 4, atomic)
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	answers := map[uint64]*valkeybatchv1.StreamBatchesResponse{}
	for {
		answer, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		answers[answer.GetId()] = answer
	}
	if len(answers) != 6 {
		t.Fatalf("%d answers: %v", len(answers), answers)
	}
	if got := answers[1].GetResponse().GetResults(); len(got) != 2 || got[1].GetStringValue() != "v" {
		t.Errorf("1: %v", answers[1])
	}
	if got := answers[4].GetResponse().GetResults(); len(got) != 2 || got[1].GetIntegerValue() != 2 {
		t.Errorf("4: %v", answers[4])
	}
	if got := answers[1<<63].GetResponse(); got.GetFailedCount() != 1 || got.GetResults()[0].GetErrorValue() == nil {
		t.Errorf("an error in place: %v", answers[1<<63])
	}
	for id, want := range map[uint64]struct {
		code          codes.Code
		reason, field string
	}{
		0: {codes.InvalidArgument, "EMPTY_PIPELINE", "batch.commands"},
		2: {codes.InvalidArgument, "EMPTY_COMMAND", "batch.commands[1]"},
		3: {codes.FailedPrecondition, "COMMAND_FAILED", ""},
	} {
		err := statusIn(t, answers[id])
		if status.Code(err) != want.code || infoOf(t, err).GetReason() != want.reason {
			t.Errorf("%d: %v", id, err)
		}
		field := ""
		for _, d := range status.Convert(err).Details() {
			if bad, ok := d.(*errdetails.BadRequest); ok {
				field = bad.GetFieldViolations()[0].GetField()
			}
		}
		if field != want.field {
			t.Errorf("%d: field %q, want %q", id, field, want.field)
		}
	}
	eventually(t, "a log line for each batch", func() bool {
		return strings.Count(r.log.String(), "grpc.method=StreamBatches") == 6 && strings.Contains(r.log.String(), "reason=COMMAND_FAILED")
	})
}

// TestStreamAnswersAsBatchesComplete: a batch that waits holds up no other.
func TestStreamAnswersAsBatchesComplete(t *testing.T) {
	r := start(t, settings(t))
	s := r.stream(t, testContext(t))
	sendOn(t, s, 1, batch([]string{"BLPOP", "list", "20"}))
	for id := uint64(2); id < 50; id++ {
		sendOn(t, s, id, batch([]string{"ECHO", strconv.FormatUint(id, 10)}))
	}
	for range 48 {
		answer := receiveOn(t, s)
		if got := answer.GetResponse().GetResults(); len(got) != 1 || got[0].GetStringValue() != strconv.FormatUint(answer.GetId(), 10) {
			t.Errorf("got %v", answer)
		}
	}
	sendOn(t, s, 50, batch([]string{"RPUSH", "list", "x"}))
	ids := receiveOn(t, s).GetId() + receiveOn(t, s).GetId()
	if ids != 51 {
		t.Errorf("the last ids add up to %d", ids)
	}
}

// TestStreamUsesNoIdleWorkerTwice: of two batches that follow each other at once, the second does
// not wait for the first, however many were done on the stream before.
func TestStreamUsesNoIdleWorkerTwice(t *testing.T) {
	r := start(t, settings(t))
	s := r.stream(t, testContext(t))
	for i := range uint64(10) {
		for range i {
			sendOn(t, s, 1, batch([]string{"PING"}))
			receiveOn(t, s)
		}
		time.Sleep(2 * time.Millisecond) // workers are idle
		for range i + 1 {
			sendOn(t, s, 2, batch([]string{"BLPOP", "list", "20"}))
		}
		sendOn(t, s, 3, batch([]string{"PING"}))
		if answer := receiveOn(t, s); answer.GetId() != 3 {
			t.Fatalf("round %d: got %v", i, answer)
		}
		for range i + 1 {
			sendOn(t, s, 4, batch([]string{"RPUSH", "list", "x"}))
		}
		for range 2 * (i + 1) {
			receiveOn(t, s)
		}
	}
}

// TestStreamLimit: more batches than are allowed at once wait, and nothing is refused.
func TestStreamLimit(t *testing.T) {
	r := start(t, settings(t, "--max-stream-batches=2"))
	s := r.stream(t, testContext(t))
	sendOn(t, s, 1, batch([]string{"BLPOP", "list", "20"}))
	sendOn(t, s, 2, batch([]string{"BLPOP", "list", "20"}))
	for id := uint64(3); id < 20; id++ {
		sendOn(t, s, id, batch([]string{"RPUSH", "other", "x"}))
	}
	eventually(t, "two batches in flight", func() bool {
		batches, _ := r.backend.service.InFlight()
		return batches == 2
	})
	other := r.client(t)
	if got, err := other.ExecuteBatch(testContext(t), batch([]string{"LLEN", "other"})); err != nil || got.GetResults()[0].GetIntegerValue() != 0 {
		t.Errorf("others were carried out: %v, %v", got, err)
	}
	if _, err := other.ExecuteBatch(testContext(t), batch([]string{"RPUSH", "list", "a", "b"})); err != nil {
		t.Fatal(err)
	}
	for range 19 {
		if answer := receiveOn(t, s); answer.GetResponse() == nil {
			t.Errorf("got %v", answer)
		}
	}
}

// TestStreamBackpressure: a caller who does not read its answers is made to wait, and what the
// server holds for it stays bounded; others are served.
func TestStreamBackpressure(t *testing.T) {
	r := start(t, settings(t, "--max-stream-batches=4"))
	other := r.client(t)
	if _, err := other.ExecuteBatch(testContext(t), batch([]string{"SET", "k", strings.Repeat("x", 100_000)})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	s := r.stream(t, ctx)
	const most = 20_000
	sent := make(chan int, 1)
	go func() {
		n := 0
		for ; n < most; n++ {
			if s.Send(&valkeybatchv1.StreamBatchesRequest{Id: uint64(n), Request: batch([]string{"GET", "k"}, []string{"ECHO", strings.Repeat("y", 1000)})}) != nil {
				break
			}
		}
		sent <- n
	}()
	select {
	case n := <-sent:
		t.Errorf("%d batches were taken and nobody read", n)
	case <-time.After(2 * time.Second):
	}
	if _, err := other.ExecuteBatch(testContext(t), batch([]string{"PING"})); err != nil {
		t.Error(err)
	}
	cancel()
	<-sent
	eventually(t, "nothing in flight", func() bool {
		batches, bytes := r.backend.service.InFlight()
		return batches == 0 && bytes == 0
	})
}

// TestStreamStalls: a caller who reads no answers at all loses its stream, and others get back
// what the answers took.
func TestStreamStalls(t *testing.T) {
	r := start(t, settings(t, "--max-stream-stall=5s", "--max-in-flight-reply-bytes=4MiB", "--max-reply-bytes=4MiB"))
	other := r.client(t)
	if _, err := other.ExecuteBatch(testContext(t), batch([]string{"SET", "k", strings.Repeat("x", 500_000)})); err != nil {
		t.Fatal(err)
	}
	s := r.stream(t, testContext(t))
	for id := range uint64(20) {
		sendOn(t, s, id, batch([]string{"GET", "k"}))
	}
	eventually(t, "a refusal beside it", func() bool {
		_, err := other.ExecuteBatch(testContext(t), batch([]string{"GET", "k"}, []string{"GET", "k"}))
		return status.Code(err) == codes.ResourceExhausted
	})
	eventually(t, "room again", func() bool {
		_, err := other.ExecuteBatch(testContext(t), batch([]string{"GET", "k"}, []string{"GET", "k"}))
		return err == nil
	})
	for {
		if _, err := s.Recv(); err != nil {
			if status.Code(err) != codes.ResourceExhausted || infoOf(t, err).GetReason() != "STREAM_STALLED" {
				t.Errorf("the stream ended with %v", err)
			}
			break
		}
	}
	eventually(t, "nothing in flight", func() bool {
		batches, _ := r.backend.service.InFlight()
		return batches == 0
	})
}

// TestStreamEndsEarly: whatever was under way when the caller goes away is given up.
func TestStreamEndsEarly(t *testing.T) {
	r := start(t, settings(t))
	ctx, cancel := context.WithCancel(testContext(t))
	s := r.stream(t, ctx)
	for id := range uint64(100) {
		sendOn(t, s, id, batch([]string{"BLPOP", "list", "20"}))
	}
	eventually(t, "the batches in flight", func() bool {
		batches, _ := r.backend.service.InFlight()
		return batches == 100
	})
	cancel()
	eventually(t, "nothing in flight", func() bool {
		batches, _ := r.backend.service.InFlight()
		return batches == 0
	})
}

// TestStreamMalformed: a message that is none ends the stream, whose id nobody knows; one whose
// request is none fails alone.
func TestStreamMalformed(t *testing.T) {
	r := start(t, settings(t))
	conn := dial(t, r.Addrs()[0])
	raw, err := conn.NewStream(testContext(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		valkeybatchv1.BatchService_StreamBatches_FullMethodName, grpc.ForceCodecV2(rawCodec{"proto"}))
	if err != nil {
		t.Fatal(err)
	}
	answer := &valkeybatchv1.StreamBatchesResponse{}
	for _, encoded := range [][]byte{{8, 7, 2<<3 | 2, 1, 0xff}, {2<<3 | 2, 2, 1<<3 | 2, 9, 8, 7}} {
		if err := raw.SendMsg(encoded); err != nil {
			t.Fatal(err)
		}
		if err := raw.RecvMsg(answer); err != nil {
			t.Fatal(err)
		}
		if err := statusIn(t, answer); answer.GetId() != 7 || infoOf(t, err).GetReason() != "MALFORMED_REQUEST" {
			t.Errorf("got %v", answer)
		}
	}
	if err := raw.SendMsg([]byte{0xff}); err != nil {
		t.Fatal(err)
	}
	err = raw.RecvMsg(answer)
	if status.Code(err) != codes.InvalidArgument || infoOf(t, err).GetReason() != "MALFORMED_REQUEST" {
		t.Errorf("got %v", err)
	}
}

// TestStreamDrain: a server that shuts down answers what it has taken and says that the rest was
// not executed; and it is so.
func TestStreamDrain(t *testing.T) {
	srv := valkeytest.StartServer(t)
	r := start(t, settings(t, "--valkey", srv.Addr()))
	const streams = 4
	var callers sync.WaitGroup
	type tally struct{ sent, answered int }
	tallies := make([]tally, streams)
	under := make(chan struct{}, streams)
	for i := range streams {
		s := r.stream(t, testContext(t))
		callers.Go(func() {
			received := make(chan error, 1)
			go func() {
				for n := 0; ; n++ {
					answer, err := s.Recv()
					if err != nil {
						received <- err
						return
					}
					if answer.GetResponse() == nil {
						t.Errorf("got %v", answer)
					}
					tallies[i].answered++
					if n == 100 {
						under <- struct{}{}
					}
				}
			}()
			for s.Send(&valkeybatchv1.StreamBatchesRequest{Request: batch([]string{"INCR", fmt.Sprint("n", i)})}) == nil {
				tallies[i].sent++
			}
			err := <-received
			if status.Code(err) != codes.Unavailable || infoOf(t, err).GetReason() != "DRAINING" {
				t.Errorf("the stream ended with %v", err)
			}
		})
	}
	for range streams {
		<-under
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	callers.Wait()
	if strings.Contains(r.log.String(), "cutting off") {
		t.Error("it was cut off")
	}
	for i, got := range tallies {
		frame := srv.MustDo(t, "GET", fmt.Sprint("n", i))
		executed, _ := frame.Bytes()
		if string(executed) != strconv.Itoa(got.answered) || got.sent < got.answered {
			t.Errorf("stream %d: %s were executed, %d answered of %d sent", i, executed, got.answered, got.sent)
		}
	}
}

// TestIdleStreams: streams on which nothing happens take little, and end with the server.
func TestIdleStreams(t *testing.T) {
	r := start(t, settings(t, "--max-in-flight-batches=3000"))
	client := r.client(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 2000
	streams := make([]batchStream, n)
	for i := range streams {
		s, err := client.StreamBatches(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		streams[i] = s
		sendOn(t, s, uint64(i), batch([]string{"PING"}))
		if receiveOn(t, s).GetResponse() == nil {
			t.Fatal("no response")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	// Client and server share the process.
	if each := (int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)) / n; each > 100<<10 {
		t.Errorf("an idle stream takes %d bytes", each)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	for _, s := range streams[:10] {
		if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("an idle stream ended with %v", err)
		}
	}
}
