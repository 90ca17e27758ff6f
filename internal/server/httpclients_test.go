package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

type (
	connectUnary  = connect.Client[valkeybatchv1.ExecuteBatchRequest, valkeybatchv1.ExecuteBatchResponse]
	connectStream = connect.Client[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse]
)

// protocols are those that a client can speak over HTTP.
var protocols = []struct {
	name    string
	http2   bool // needed by unary calls too
	options []connect.ClientOption
}{
	{"Connect", false, nil},
	{"Connect with JSON", false, []connect.ClientOption{connect.WithProtoJSON()}},
	{"gRPC-Web", false, []connect.ClientOption{connect.WithGRPCWeb()}},
	{"gRPC-Web with JSON", false, []connect.ClientOption{connect.WithGRPCWeb(), connect.WithProtoJSON()}},
	{"gRPC", true, []connect.ClientOption{connect.WithGRPC()}},
}

// clientOf returns an HTTP client of one version.
func clientOf(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(http2)
	transport.Protocols.SetHTTP1(!http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestHTTPClients: connect-go's clients, which speak all the protocols, get results and errors
// with their details.
func TestHTTPClients(t *testing.T) {
	r := startHTTP(t)
	for _, p := range protocols {
		for _, http2 := range []bool{false, true} {
			if p.http2 && !http2 {
				continue
			}
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", p.name, http2), func(t *testing.T) {
				client := connect.NewClient[valkeybatchv1.ExecuteBatchRequest, valkeybatchv1.ExecuteBatchResponse](
					clientOf(t, http2), r.url(executePath), p.options...)
				testConnectUnary(t, client)
			})
		}
	}
}

func testConnectUnary(t *testing.T, client *connectUnary) {
	text := strings.Repeat("x", 300<<10) // more than one piece
	got, err := client.CallUnary(testContext(t), connect.NewRequest(batch([]string{"SET", "k", text}, []string{"GET", "k"}, []string{"LPOP", "k"})))
	if err != nil {
		t.Fatal(err)
	}
	results := got.Msg.GetResults()
	if got.Msg.GetFailedCount() != 1 || results[1].GetStringValue() != text || results[2].GetErrorValue().GetCode() != "WRONGTYPE" {
		t.Errorf("got %.300s", got.Msg)
	}
	_, err = client.CallUnary(testContext(t), connect.NewRequest(batch([]string{"PING"}, []string{"SUBSCRIBE", "x"})))
	checkConnectError(t, err, connect.CodeInvalidArgument, "COMMAND_REFUSED")
	_, err = client.CallUnary(testContext(t), connect.NewRequest(&valkeybatchv1.ExecuteBatchRequest{}))
	checkConnectError(t, err, connect.CodeInvalidArgument, "EMPTY_PIPELINE")
	ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
	defer cancel()
	_, err = client.CallUnary(ctx, connect.NewRequest(batch([]string{"BLPOP", "jobs", "0"})))
	if connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("beyond the deadline: %v", err)
	}
}

func checkConnectError(t *testing.T, err error, code connect.Code, reason string) {
	t.Helper()
	var failed *connect.Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v", err)
	}
	for _, d := range failed.Details() {
		value, err := d.Value()
		if err != nil {
			t.Error(err)
		}
		if info, ok := value.(*errdetails.ErrorInfo); ok && info.GetReason() == reason && failed.Code() == code {
			return
		}
	}
	t.Errorf("got %v with %v, want %v, %s", failed, failed.Details(), code, reason)
}

// TestHTTPStreams: streams over HTTP/2 carry batches that overtake each other, in all protocols,
// and end as gRPC's do.
func TestHTTPStreams(t *testing.T) {
	r := startHTTP(t)
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			client := connect.NewClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse](
				clientOf(t, true), r.url(streamPath), p.options...)
			testConnectStream(t, client)
		})
	}
	eventually(t, "nothing in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 0 })
}

func testConnectStream(t *testing.T, client *connectStream) {
	s := client.CallBidiStream(testContext(t))
	send := func(id uint64, req *valkeybatchv1.ExecuteBatchRequest) {
		t.Helper()
		if err := s.Send(&valkeybatchv1.StreamBatchesRequest{Id: id, Request: req}); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() *valkeybatchv1.StreamBatchesResponse {
		t.Helper()
		got, err := s.Receive()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	send(1, batch([]string{"BLPOP", "jobs", "0.5"}))
	send(2, batch([]string{"ECHO", "hello"}))
	if got := receive(); got.GetId() != 2 || got.GetResponse().GetResults()[0].GetStringValue() != "hello" {
		t.Errorf("got %v", got)
	}
	send(3, batch([]string{"MULTI"}))
	if got := receive(); got.GetId() != 3 || got.GetError().GetCode() != int32(codes.InvalidArgument) || len(got.GetError().GetDetails()) != 2 {
		t.Errorf("got %v", got)
	}
	if err := s.CloseRequest(); err != nil {
		t.Error(err)
	}
	if got := receive(); got.GetId() != 1 || !got.GetResponse().GetResults()[0].GetNullValue() {
		t.Errorf("got %v", got)
	}
	if _, err := s.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if err := s.CloseResponse(); err != nil {
		t.Error(err)
	}
}

// TestHTTPStreamDrain: a drain answers what was taken, and ends streams with the reason.
func TestHTTPStreamDrain(t *testing.T) {
	r := startHTTP(t)
	client := connect.NewClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse](clientOf(t, true), r.url(streamPath))
	s := client.CallBidiStream(testContext(t))
	if err := s.Send(&valkeybatchv1.StreamBatchesRequest{Id: 1, Request: batch([]string{"BLPOP", "jobs", "1"})}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the batch in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 1 })
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	if got, err := s.Receive(); err != nil || got.GetId() != 1 || got.GetResponse() == nil {
		t.Errorf("got %v, %v", got, err)
	}
	_, err := s.Receive()
	checkConnectError(t, err, connect.CodeUnavailable, "DRAINING")
	if err := s.CloseResponse(); err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestHTTPStreamTooLong: a message over the limit ends a stream at once, by its length.
func TestHTTPStreamTooLong(t *testing.T) {
	r := startHTTP(t, "--max-request-bytes=64KiB")
	for _, options := range [][]connect.ClientOption{nil, {connect.WithProtoJSON()}} {
		client := connect.NewClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse](clientOf(t, true), r.url(streamPath), options...)
		s := client.CallBidiStream(testContext(t))
		_ = s.Send(&valkeybatchv1.StreamBatchesRequest{Request: batch([]string{"ECHO", strings.Repeat("x", 2<<20)})})
		_, err := s.Receive()
		checkConnectError(t, err, connect.CodeResourceExhausted, "LIMIT_EXCEEDED")
		_ = s.CloseRequest()
		_ = s.CloseResponse()
	}
}

// TestHTTPStreamMalformed: JSON that is no request ends a stream, as protobuf that is none does.
func TestHTTPStreamMalformed(t *testing.T) {
	r := startHTTP(t)
	frame := func(text string) string { return "\x00\x00\x00\x00" + string(rune(len(text))) + text }
	req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, r.url(streamPath), strings.NewReader(frame(`{"request": {"bach": 1}}`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/connect+json")
	resp, err := clientOf(t, true).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "invalid_argument") || !strings.Contains(string(body), "bach") {
		t.Errorf("%q, %v", body, err)
	}
}

// TestHTTPgRPC: a gRPC client may use the HTTP listener.
func TestHTTPgRPC(t *testing.T) {
	r := startHTTP(t)
	client := valkeybatchv1.NewBatchServiceClient(dial(t, r.HTTPAddrs()[0]))
	got, err := client.ExecuteBatch(testContext(t), batch([]string{"ECHO", "hello"}))
	if err != nil || got.GetResults()[0].GetStringValue() != "hello" {
		t.Errorf("%v, %v", got, err)
	}
	_, err = client.ExecuteBatch(testContext(t), batch([]string{"MULTI"}))
	if status.Code(err) != codes.InvalidArgument || infoOf(t, err).GetReason() != "COMMAND_REFUSED" {
		t.Errorf("got %v", err)
	}
}
