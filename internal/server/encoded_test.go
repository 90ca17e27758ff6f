package server

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// rawCodec sends bytes as they are and receives messages as protobuf.
type rawCodec struct{ name string }

func (c rawCodec) Name() string { return c.name }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	return encoding.GetCodecV2("proto").Unmarshal(data, v)
}

// sendRaw calls ExecuteBatch with these bytes as the message.
func (r *running) sendRaw(t *testing.T, conn *grpc.ClientConn, contentSubtype string, encoded []byte) (*valkeybatchv1.ExecuteBatchResponse, error) {
	t.Helper()
	out := &valkeybatchv1.ExecuteBatchResponse{}
	err := conn.Invoke(testContext(t), valkeybatchv1.BatchService_ExecuteBatch_FullMethodName, encoded, out,
		grpc.ForceCodecV2(rawCodec{contentSubtype}))
	return out, err
}

// TestMalformedMessage sends bytes that are no message: the answer is a status like any other
// of the contract, and is logged like any other.
func TestMalformedMessage(t *testing.T) {
	r := start(t, settings(t))
	conn := dial(t, r.Addrs()[0])
	for _, encoded := range [][]byte{[]byte("\xff\xff\xff"), {1<<3 | 2, 200}, bytes.Repeat([]byte{0x0b}, 100_000), []byte("{\"batch\":{}}")} {
		_, err := r.sendRaw(t, conn, "proto", encoded)
		if status.Code(err) != codes.InvalidArgument || infoOf(t, err).GetReason() != "MALFORMED_REQUEST" {
			t.Errorf("%.20q: got %v", encoded, err)
		}
	}
	eventually(t, "a log line for each", func() bool { return strings.Count(r.log.String(), "reason=MALFORMED_REQUEST") == 4 })
	err := conn.Invoke(testContext(t), "/valkeybatch.v1.BatchService/NoSuch", &valkeybatchv1.ExecuteBatchRequest{}, &valkeybatchv1.ExecuteBatchResponse{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
}

// TestContentSubtypes: gRPC takes a content-subtype that no codec is known for as protobuf, and
// so does the server.
func TestContentSubtypes(t *testing.T) {
	r := start(t, settings(t))
	conn := dial(t, r.Addrs()[0])
	encoded, err := proto.Marshal(batch([]string{"PING"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, subtype := range []string{"", "proto", "json"} {
		got, err := r.sendRaw(t, conn, subtype, encoded)
		if err != nil || len(got.GetResults()) != 1 {
			t.Errorf("%q: %v, %v", subtype, got, err)
		}
	}
}

// TestOverLimitCostsLittle sends four mebibytes of empty commands, which take 55 times as much
// when they are decoded: the refusal has the figures and no more is allocated than receiving takes.
func TestOverLimitCostsLittle(t *testing.T) {
	r := start(t, settings(t))
	conn := dial(t, r.Addrs()[0])
	const size = 4 << 20
	encoded := append([]byte{1<<3 | 2, 0x80, 0x80, 0x80, 2}, bytes.Repeat([]byte{2<<3 | 2, 0}, size/2)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := r.sendRaw(t, conn, "proto", encoded)
	runtime.ReadMemStats(&after)
	if status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("got %v", err)
	}
	metadata := infoOf(t, err).GetMetadata()
	if metadata["actual"] != "2097152" || metadata["allowed"] != "250000" || metadata["setting"] != "max-commands" {
		t.Errorf("got %v", metadata)
	}
	// Client and server share the process: the message is framed, received and put together.
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 6*size {
		t.Errorf("%d bytes were allocated for a message of %d", spent, size)
	}
}

// TestArgumentLimit checks the setting on its way to the service.
func TestArgumentLimit(t *testing.T) {
	client := start(t, settings(t, "--max-arguments=4")).client(t)
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"PING"}, []string{"SET", "k", "v"})); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	_, err := client.ExecuteBatch(testContext(t), batch([]string{"GET", "k"}, []string{"SET", "k", "v"}))
	if status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("got %v", err)
	}
	if metadata := infoOf(t, err).GetMetadata(); metadata["actual"] != "5" || metadata["allowed"] != "4" || metadata["setting"] != "max-arguments" {
		t.Errorf("got %v", metadata)
	}
}

// TestReplyBytesInFlight: what a batch has received counts against the others until its call
// is over, and not a moment longer.
func TestReplyBytesInFlight(t *testing.T) {
	client := start(t, settings(t, "--max-reply-bytes=8KiB", "--max-in-flight-reply-bytes=8KiB")).client(t)
	get := []string{"GET", "k"}
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"SET", "k", strings.Repeat("x", 5000)})); err != nil {
		t.Fatal(err)
	}
	fits := func() bool {
		_, err := client.ExecuteBatch(testContext(t), batch(get))
		return err == nil
	}
	for range 5 {
		eventually(t, "room for one after the other", fits)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil { // it may be this one that finds no room
			_, _ = client.ExecuteBatch(ctx, batch(get, []string{"BLPOP", "nolist", "20"}))
		}
	}()
	eventually(t, "a refusal", func() bool {
		_, err := client.ExecuteBatch(testContext(t), batch(get))
		if err == nil {
			return false
		}
		metadata := infoOf(t, err).GetMetadata()
		return metadata["limit"] == "reply bytes in flight" && metadata["allowed"] == "8192" && metadata["setting"] == "max-in-flight-reply-bytes"
	})
	cancel()
	<-ended
	eventually(t, "room again", fits)
}

// TestUnreadReplies: a response that its caller does not read stays counted, whatever its
// batch has become; once it is read, or its call or its connection is gone, there is room again.
func TestUnreadReplies(t *testing.T) {
	const size = 600_000
	r := start(t, settings(t, "--max-reply-bytes=1MiB", "--max-in-flight-reply-bytes=1MiB"))
	client := r.client(t)
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"SET", "k", strings.Repeat("x", size)})); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(t *testing.T, conn *grpc.ClientConn, stream grpc.ClientStream, cancel func()){
		"read": func(t *testing.T, _ *grpc.ClientConn, stream grpc.ClientStream, _ func()) {
			got := &valkeybatchv1.ExecuteBatchResponse{}
			if err := stream.RecvMsg(got); err != nil || len(got.GetResults()[0].GetStringValue()) != size {
				t.Errorf("the response: %v", err)
			}
		},
		"given up":        func(_ *testing.T, _ *grpc.ClientConn, _ grpc.ClientStream, cancel func()) { cancel() },
		"connection lost": func(_ *testing.T, conn *grpc.ClientConn, _ grpc.ClientStream, _ func()) { conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			const window = 64 << 10 // what the server may send before the caller reads
			conn, err := grpc.NewClient("passthrough:///"+r.Addrs()[0].String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, valkeybatchv1.BatchService_ExecuteBatch_FullMethodName)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(batch([]string{"GET", "k"})); err != nil {
				t.Fatal(err)
			}
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			// The header comes when the batch has ended and its response is on the way.
			if _, err := stream.Header(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				_, err := client.ExecuteBatch(testContext(t), batch([]string{"GET", "k"}))
				if status.Code(err) != codes.ResourceExhausted || infoOf(t, err).GetMetadata()["limit"] != "reply bytes in flight" {
					t.Fatalf("while a response is unread: %v", err)
				}
			}
			end(t, conn, stream, cancel)
			eventually(t, "room again", func() bool {
				runtime.GC() // a busy server collects garbage by itself
				_, err := client.ExecuteBatch(testContext(t), batch([]string{"GET", "k"}))
				return err == nil
			})
		})
	}
}
