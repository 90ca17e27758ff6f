package server

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// TestMessageFarTooLong: a message that is far over the limit is refused with the service's own
// error, on a call and on a stream, which it ends, with nothing said of the stream's other batches.
func TestMessageFarTooLong(t *testing.T) {
	r := start(t, settings(t, "--max-request-bytes=64KiB"))
	long := batch([]string{"ECHO", strings.Repeat("x", 3<<20)})
	check := func(err error) {
		t.Helper()
		info := infoOf(t, err)
		if status.Code(err) != codes.ResourceExhausted || info.GetReason() != "LIMIT_EXCEEDED" ||
			info.GetMetadata()["setting"] != "max-request-bytes" || info.GetMetadata()["allowed"] != strconv.Itoa(64<<10+1<<20) {
			t.Errorf("got %v", status.Convert(err).Proto())
		}
		if n, _ := strconv.Atoi(info.GetMetadata()["actual"]); n < 3<<20 {
			t.Errorf("the actual length is %d", n)
		}
	}
	_, err := r.client(t).ExecuteBatch(testContext(t), long)
	check(err)
	s := r.stream(t, testContext(t))
	sendOn(t, s, 1, batch([]string{"BLPOP", "list", "0.2"}))
	_ = s.Send(&valkeybatchv1.StreamBatchesRequest{Id: 2, Request: long})
	if answer := receiveOn(t, s); answer.GetId() != 1 || answer.GetResponse() == nil {
		t.Errorf("the batch before it: %v", answer)
	}
	_, err = s.Recv()
	check(err)
	if !strings.Contains(err.Error(), "may have been executed") {
		t.Errorf("it does not say what became of the others: %v", err)
	}
}

// TestLongMessages: messages of every length around those at which they are received otherwise.
func TestLongMessages(t *testing.T) {
	r := start(t, settings(t))
	s := r.stream(t, testContext(t))
	for _, n := range []int{0, 1, 60 << 10, 64<<10 - 40, 64 << 10, 4<<20 - 40, 4 << 20, 4<<20 + 1, 9 << 20} {
		text := strings.Repeat("x", n)
		req := batch([]string{"STRLEN", "none"}, []string{"SET", "k", text}, []string{"STRLEN", "k"})
		got, err := r.client(t).ExecuteBatch(testContext(t), req)
		if err != nil || got.GetResults()[2].GetIntegerValue() != int64(n) {
			t.Errorf("%d bytes: %v, %v", n, got, err)
		}
		sendOn(t, s, uint64(n), req)
		if got := receiveOn(t, s); got.GetId() != uint64(n) || got.GetResponse().GetResults()[2].GetIntegerValue() != int64(n) {
			t.Errorf("%d bytes on a stream: %v", n, got)
		}
	}
	eventually(t, "nothing on its way in", func() bool { return r.backend.service.Arriving() == 0 })
}

// TestAwaitedCalls: calls that never send their request are let go when they are many, and never
// keep out those that do.
func TestAwaitedCalls(t *testing.T) {
	r := start(t, settings(t, "--max-streams=10", "--max-stream-stall=1s"))
	conn := dial(t, r.Addrs()[0])
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var ended, cancelled atomic.Int64
	var receivers sync.WaitGroup
	// More than there are places, of which a call of the client's may have one for a moment.
	for range 20 {
		s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, valkeybatchv1.BatchService_ExecuteBatch_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		receivers.Go(func() {
			err := s.RecvMsg(&valkeybatchv1.ExecuteBatchResponse{})
			switch {
			case status.Code(err) == codes.Canceled:
				cancelled.Add(1)
			case status.Code(err) == codes.ResourceExhausted && infoOf(t, err).GetReason() == "STREAM_STALLED":
				ended.Add(1)
			}
		})
	}
	client := r.client(t)
	eventually(t, "a refusal", func() bool {
		_, err := client.ExecuteBatch(testContext(t), batch([]string{"PING"}))
		return status.Code(err) == codes.ResourceExhausted && infoOf(t, err).GetReason() == "OVERLOADED"
	})
	begun := time.Now()
	eventually(t, "room", func() bool {
		_, err := client.ExecuteBatch(testContext(t), batch([]string{"PING"}))
		return err == nil
	})
	t.Logf("room after %v", time.Since(begun))
	eventually(t, "the end of half of them", func() bool { return ended.Load() >= 4 })
	cancel()
	receivers.Wait()
	if n := cancelled.Load(); n < 4 {
		t.Errorf("%d calls were let wait, not half of them", n)
	}
}

// TestUnknownCallersTakeNoRoom: who is not known is told so, and nothing else, before a long request
// is received; what is refused before it is received is counted as other calls are.
func TestUnknownCallersTakeNoRoom(t *testing.T) {
	path, token := authFile(t, "identities:\n  - {name: orders, tokens: [TOKEN]}\n")
	r := start(t, settings(t, "--auth-file="+path, "--max-request-bytes=1MiB", "--admin-listen=127.0.0.1:0"))
	conn := dial(t, r.Addrs()[0])
	client := valkeybatchv1.NewBatchServiceClient(conn)
	for _, n := range []int{1 << 10, 512 << 10, 3 << 20} {
		req := batch([]string{"ECHO", strings.Repeat("x", n)})
		_, err := client.ExecuteBatch(testContext(t), req)
		if status.Code(err) != codes.Unauthenticated || infoOf(t, err).GetReason() != "UNAUTHENTICATED" {
			t.Errorf("%d bytes without a token: %v", n, err)
		}
		_, err = client.ExecuteBatch(as(t, token), req)
		if want := map[bool]codes.Code{true: codes.ResourceExhausted}[n > 1<<20]; status.Code(err) != want {
			t.Errorf("%d bytes with a token: %v", n, err)
		}
	}
	// A request that is never sent whole: its caller is told at once, with nothing counted.
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, valkeybatchv1.BatchService_ExecuteBatch_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SendMsg(batch([]string{"ECHO", strings.Repeat("x", 512<<10)}))
	if err := s.RecvMsg(&valkeybatchv1.ExecuteBatchResponse{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("got %v", err)
	}
	if got := r.scrape(t).of("grpc_server_handled_total", "grpc_code=ResourceExhausted"); got != 1 {
		t.Errorf("%v calls are counted that were refused by their length, not 1", got)
	}
}
