package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// dialHTTP connects to the first HTTP listener, for requests by hand.
func (r *running) dialHTTP(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.HTTPAddrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// begin sends the headers of a call, and the beginning of its body.
func begin(t *testing.T, to io.Writer, kind, body string, headers ...string) {
	t.Helper()
	all := strings.Join(append([]string{"Host: x", "Content-Type: " + kind}, headers...), "\r\n")
	if _, err := fmt.Fprintf(to, "POST %s HTTP/1.1\r\n%s\r\n\r\n%s", executePath, all, body); err != nil {
		t.Fatal(err)
	}
}

// answerTo reads an answer. Its body is that of the Connect protocol; of others the status is enough.
func answerTo(t *testing.T, from io.Reader) (*http.Response, httpError) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(from), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var failed httpError
	if err := json.NewDecoder(resp.Body).Decode(&failed); err != nil && resp.StatusCode != http.StatusOK {
		t.Fatal(err)
	}
	return resp, failed
}

// TestHTTPUnknownCallersTakeNoRoom: over HTTP too, who is not known is told so, and nothing else,
// before anything of a request is read, and is counted and logged.
func TestHTTPUnknownCallersTakeNoRoom(t *testing.T) {
	path, token := authFile(t, "identities:\n  - {name: orders, tokens: [TOKEN]}\n")
	r := startHTTP(t, "--auth-file="+path, "--max-request-bytes=1MiB", "--admin-listen=127.0.0.1:0", "--max-stream-stall=1m", "--access-log")
	before := r.scrape(t)
	unknown := 0
	// Requests of which no more than the headers, or a little, is ever sent.
	for _, length := range []string{"Content-Length: 100", "Content-Length: 1000000", "Content-Length: 100000000", "Transfer-Encoding: chunked"} {
		conn := r.dialHTTP(t)
		begin(t, conn, "application/json", "", length)
		resp, failed := answerTo(t, conn)
		if unknown++; resp.StatusCode != http.StatusUnauthorized || failed.reason() != "UNAUTHENTICATED" {
			t.Errorf("%s: %d %+v", length, resp.StatusCode, failed)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s: the connection does not end: %v", length, err)
		}
	}
	conn := r.dialHTTP(t)
	begin(t, conn, "application/grpc-web+proto", "", "Content-Length: 1000000")
	if resp, _ := answerTo(t, conn); resp.Header.Get("Grpc-Status") != "16" {
		t.Errorf("gRPC-Web: %v", resp.Header)
	}
	unknown++
	for _, http2 := range []bool{false, true} {
		for _, n := range []int{1 << 10, 512 << 10, 3 << 20} {
			body := `{"batch": {"commands": [{"text_args": ["ECHO", "` + strings.Repeat("x", n) + `"]}]}}`
			for _, as := range []string{"", token} {
				req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, r.url(executePath), strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				want := http.StatusUnauthorized
				if as != "" {
					req.Header.Set("Authorization", "Bearer "+as)
					if want = http.StatusOK; n > 1<<20 {
						want = http.StatusTooManyRequests
					}
				} else {
					unknown++
				}
				resp, err := clientOf(t, http2).Do(req)
				if err != nil {
					t.Errorf("%d bytes, HTTP/2 %v, token %q: %v", n, http2, as, err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != want {
					t.Errorf("%d bytes, HTTP/2 %v, token %q: %d, want %d", n, http2, as, resp.StatusCode, want)
				}
			}
		}
	}
	if requests, _ := r.http.InFlight(); requests != 0 {
		t.Errorf("%d bytes are held", requests)
	}
	figures{
		"valkeybatch_batches_total status=UNAUTHENTICATED":    float64(unknown),
		"valkeybatch_batches_total status=RESOURCE_EXHAUSTED": 2,
		"valkeybatch_batches_total status=OK":                 4,
	}.check(t, before, r.scrape(t))
	if got := strings.Count(r.log.String(), "reason=UNAUTHENTICATED"); got < unknown {
		t.Errorf("%d lines tell of %d calls", got, unknown)
	}
}

// TestHTTPAwaitedCalls: calls whose request never comes end, whatever their protocol, and count as
// those of gRPC do.
func TestHTTPAwaitedCalls(t *testing.T) {
	r := startHTTP(t, "--max-streams=4", "--max-stream-stall=8s", "--admin-listen=127.0.0.1:0")
	var conns []net.Conn
	// More than there are places, of which another call of this test may have one for a moment.
	for i := range 8 {
		conn := r.dialHTTP(t)
		begin(t, conn, []string{"application/json", "application/grpc-web+proto"}[i%2], "", "Transfer-Encoding: chunked")
		conns = append(conns, conn)
	}

	eventually(t, "a refusal", func() bool {
		status, body, _ := post(t, r, pingJSON)
		return status == http.StatusTooManyRequests && strings.Contains(body, "whose request has not arrived")
	})
	if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"PING"})); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("over gRPC: %v", err)
	}
	stalled := 0
	for i, conn := range conns {
		resp, failed := answerTo(t, conn)
		switch reason := failed.reason(); {
		case i%2 == 1 && resp.Header.Get("Grpc-Status") == "8", reason == "OVERLOADED":
		case reason == "STREAM_STALLED":
			stalled++
		default:
			t.Errorf("%d: %d %v %+v", i, resp.StatusCode, resp.Header, failed)
		}
	}
	if stalled == 0 {
		t.Error("none was told that its request did not arrive")
	}
	if status, body, _ := post(t, r, pingJSON); status != http.StatusOK {
		t.Errorf("afterwards: %d %s", status, body)
	}
	// What a call with one message still owes is its end.
	conn := r.dialHTTP(t)
	begin(t, conn, "application/grpc-web+proto", "5\r\n\x00\x00\x00\x00\x00\r\n", "Transfer-Encoding: chunked")
	if resp, _ := answerTo(t, conn); resp.Header.Get("Grpc-Status") != "8" {
		t.Errorf("a request without an end: %v", resp.Header)
	}
}

// TestHTTPGivesBack: what a request counts for while it is decoded is given back too where its call is
// over by then, or goes on after what was to be its end.
func TestHTTPGivesBack(t *testing.T) {
	r := startHTTP(t, "--max-stream-stall=1s")
	big := `{"batch": {"commands": [` + strings.Repeat(`{"text_args": ["PING"]},`, 20_000) + `{"text_args": ["PING"]}]}}`
	for range 5 {
		_, _, _ = post(t, r, big, "Connect-Timeout-Ms", "1")
	}
	small := `{"batch": {"commands": [{"text_args": ["PING"]}]}}`
	message := string(frame(0, len(small), []byte(small)))
	for _, rest := range []string{"", message} { // an end that does not come, and a second message
		conn := r.dialHTTP(t)
		body := fmt.Sprintf("%x\r\n%s\r\n", len(message+rest), message+rest)
		begin(t, conn, "application/grpc-web+json", body, "Transfer-Encoding: chunked")
		_, _ = conn.Read(make([]byte, 1)) // which is an answer, or the end of the connection
	}
	eventually(t, "nothing held", func() bool { requests, answers := r.http.InFlight(); return requests == 0 && answers == 0 })
}

// TestHTTPRefusalsCount: what is refused while a request is received, or when its answer is encoded, is
// counted as the caller is told, and leaves its line.
func TestHTTPRefusalsCount(t *testing.T) {
	r := startHTTP(t, "--max-request-bytes=4MiB", "--max-stream-stall=1s", "--admin-listen=127.0.0.1:0", "--access-log",
		"--max-reply-bytes=4MiB", "--max-in-flight-reply-bytes=4MiB")
	before := r.scrape(t)
	exhausted := map[string]int{}
	refused := func(what, reason string, resp *http.Response, failed httpError) {
		t.Helper()
		exhausted[reason]++
		if resp.StatusCode != http.StatusTooManyRequests || failed.reason() != reason {
			t.Errorf("%s: %d %+v, want %s", what, resp.StatusCode, failed, reason)
		}
	}
	conn := r.dialHTTP(t)
	begin(t, conn, "application/json", "", "Content-Length: 10000000")
	resp, failed := answerTo(t, conn)
	refused("too long by its length", "LIMIT_EXCEEDED", resp, failed)

	conn = r.dialHTTP(t)
	begin(t, conn, "application/json", fmt.Sprintf("%x\r\n", 6<<20), "Transfer-Encoding: chunked")
	var sender sync.WaitGroup
	sender.Go(func() { _, _ = io.WriteString(conn, strings.Repeat(" ", 6<<20)) }) // which nobody reads to its end
	resp, failed = answerTo(t, conn)
	sender.Wait()
	refused("too long by its bytes", "LIMIT_EXCEEDED", resp, failed)

	conn = r.dialHTTP(t)
	begin(t, conn, "application/json", "{", "Content-Length: 100")
	resp, failed = answerTo(t, conn)
	refused("stalled", "STREAM_STALLED", resp, failed)

	// Six bytes of JSON for one of the reply.
	control := strings.Repeat(`\u0001`, 300<<10)
	get := strings.Repeat(`, {"text_args": ["GET", "k"]}`, 3)
	body := `{"batch": {"commands": [{"text_args": ["SET", "k", "` + control + `"]}` + get + `]}}`
	for range 2 {
		conn = r.dialHTTP(t)
		begin(t, conn, "application/json", body[:len(body)-1], fmt.Sprintf("Content-Length: %d", len(body)))
		_, _ = io.WriteString(conn, body[len(body)-1:])
		resp, failed = answerTo(t, conn)
		refused("an answer beyond the bound", "LIMIT_EXCEEDED", resp, failed)
	}
	if requests, answers := r.http.InFlight(); requests != 0 || answers != 0 {
		t.Errorf("%d bytes of requests and %d of answers are held", requests, answers)
	}
	// A caller that goes before it has sent its request.
	conn = r.dialHTTP(t)
	begin(t, conn, "application/json", "{", "Content-Length: 100")
	eventually(t, "the request's first byte", func() bool { requests, _ := r.http.InFlight(); return requests == 1 })
	conn.Close()
	eventually(t, "its count", func() bool { return r.scrape(t).of("valkeybatch_batches_total", "status=CANCELLED") == 1 })
	figures{
		"valkeybatch_batches_total status=RESOURCE_EXHAUSTED": 5,
		"valkeybatch_batches_total status=CANCELLED":          1,
		"valkeybatch_batches_total status=OK":                 0,
	}.check(t, before, r.scrape(t))
	for reason, n := range exhausted {
		lines := 0
		for _, line := range accessLines(r.log.String()) {
			if strings.Contains(line, "status=ResourceExhausted") && strings.Contains(line, "reason="+reason) {
				lines++
			}
		}
		if lines != n {
			t.Errorf("%d lines of %s in the access log, want %d", lines, reason, n)
		}
	}
}

// TestHTTPStreamAnswerOverBudget: of a stream with JSON, a batch whose answer is more than may be held
// fails alone, and is counted as failed.
func TestHTTPStreamAnswerOverBudget(t *testing.T) {
	r := startHTTP(t, "--max-reply-bytes=4MiB", "--max-in-flight-reply-bytes=4MiB", "--admin-listen=127.0.0.1:0")
	before := r.scrape(t)
	client := connect.NewClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse](
		clientOf(t, true), r.url(streamPath), connect.WithProtoJSON())
	s := client.CallBidiStream(testContext(t))
	for id, text := range []string{"first", strings.Repeat("\x01", 1<<20), "", strings.Repeat("\x01", 100<<10)} {
		if err := s.Send(&valkeybatchv1.StreamBatchesRequest{Id: uint64(id), Request: batch([]string{"ECHO", text})}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Receive()
		if err != nil {
			t.Fatalf("%d: %v", id, err)
		}
		if got.GetId() != uint64(id) {
			t.Errorf("%d is answered as %d", id, got.GetId())
		}
		if id == 1 {
			if got.GetError().GetCode() != int32(codes.ResourceExhausted) || !strings.Contains(got.GetError().GetMessage(), "max-in-flight-reply-bytes") {
				t.Errorf("the long answer: %.300s", got)
			}
		} else if got.GetResponse().GetResults()[0].GetStringValue() != text {
			t.Errorf("%d: %.300s", id, got)
		}
	}
	if err := s.CloseRequest(); err != nil {
		t.Error(err)
	}
	if _, err := s.Receive(); !strings.Contains(fmt.Sprint(err), "EOF") {
		t.Errorf("the stream's end: %v", err)
	}
	_ = s.CloseResponse()
	if _, answers := r.http.InFlight(); answers != 0 {
		t.Errorf("%d bytes of answers are held", answers)
	}
	figures{
		"valkeybatch_batches_total status=RESOURCE_EXHAUSTED": 1,
		"valkeybatch_batches_total status=OK":                 3,
	}.check(t, before, r.scrape(t))
}

// TestHTTPStreamMessageTooLong: a message that is too long ends its stream, and nothing is said of what
// became of the stream's other batches.
func TestHTTPStreamMessageTooLong(t *testing.T) {
	r := startHTTP(t, "--max-request-bytes=64KiB")
	client := connect.NewClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse](clientOf(t, true), r.url(streamPath))
	s := client.CallBidiStream(testContext(t))
	_ = s.Send(&valkeybatchv1.StreamBatchesRequest{Id: 1, Request: batch([]string{"ECHO", strings.Repeat("x", 3<<20)})})
	_, err := s.Receive()
	checkConnectError(t, err, connect.CodeResourceExhausted, "LIMIT_EXCEEDED")
	if !strings.Contains(err.Error(), "may have been executed") {
		t.Errorf("it does not say what became of the others: %v", err)
	}
	_ = s.CloseRequest()
	_ = s.CloseResponse()
}

// TestHTTPContentTypeCase: a content type is what it is however it is written.
func TestHTTPContentTypeCase(t *testing.T) {
	r := startHTTP(t, "--max-request-bytes=64KiB")
	status, body, _ := send(t, r, http.MethodPost, executePath, `{"batch": {"commands": [{"text_args": ["PING"]}]}}`, "Content-Type", "Application/JSON; Charset=UTF-8")
	if status != http.StatusOK || body != `{"results":[{"stringValue":"PONG"}]}`+"\n" {
		t.Errorf("got %d %s", status, body)
	}
	// More messages on a stream than one message may be long.
	const n, size = 40, 60 << 10
	message := []byte(`{"request": {"batch": {"commands": [{"text_args": ["ECHO", "` + strings.Repeat("x", size) + `"]}]}}}`)
	var frames bytes.Buffer
	for range n {
		frames.Write([]byte{0, byte(len(message) >> 24), byte(len(message) >> 16), byte(len(message) >> 8), byte(len(message))})
		frames.Write(message)
	}
	req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, r.url(streamPath), &frames)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "Application/Connect+JSON")
	resp, err := clientOf(t, true).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answers, err := io.ReadAll(resp.Body)
	if got := bytes.Count(answers, []byte("stringValue")); err != nil || got != n {
		t.Errorf("%d batches of %d are answered, %v; the end is %.300s", got, n, err, answers[max(0, len(answers)-300):])
	}
}
