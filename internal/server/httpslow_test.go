package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// TestHTTPSlowSender: a caller that does not go on sending its request is told so and let go.
func TestHTTPSlowSender(t *testing.T) {
	r := startHTTP(t, "--max-stream-stall=1s")
	conn, err := net.Dial("tcp", r.HTTPAddrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", executePath)
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got httpError
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusTooManyRequests || got.reason() != "STREAM_STALLED" {
		t.Errorf("%d %+v, %v", resp.StatusCode, got, err)
	}
	// What it goes on sending is nobody's: the connection ends.
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection does not end: %v", err)
	}
}

// TestHTTPNextRequest: the deadlines of one request do not hold for the next on its connection.
func TestHTTPNextRequest(t *testing.T) {
	r := startHTTP(t, "--max-stream-stall=1s")
	client := httpClient(t)
	for range 2 {
		for _, request := range []string{`{"batch": {"commands": [{"text_args": ["BLPOP", "jobs", "1.5"]}]}}`, `{"batch": {"commands": [{"text_args": ["PING"]}]}}`} {
			resp, err := client.Post(r.url(executePath), "application/json", strings.NewReader(request))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s, %v", resp.StatusCode, body, err)
			}
			resp.Body.Close()
		}
		time.Sleep(1200 * time.Millisecond)
	}
}

// TestHTTPUnread: an answer that nobody reads is given up, and what it held is free.
func TestHTTPUnread(t *testing.T) {
	r := startHTTP(t, "--max-stream-stall=1s", "--max-in-flight-reply-bytes=128MiB", "--drain-timeout=20s")
	value := strings.Repeat("x", 8<<20)
	if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"SET", "big", value})); err != nil {
		t.Fatal(err)
	}
	const request = `{"batch": {"commands": [{"text_args": ["GET", "big"]}, {"text_args": ["GET", "big"]}, {"text_args": ["GET", "big"]}, {"text_args": ["GET", "big"]}]}}`
	var conns []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", r.HTTPAddrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", executePath, len(request), request)
		conns = append(conns, conn)
	}
	eventually(t, "the answers given up", func() bool {
		for _, conn := range conns { // which have far more to read than their buffers hold
			_ = conn.SetReadDeadline(time.Now().Add(time.Microsecond))
			if _, err := conn.Write([]byte("x")); err == nil {
				return false
			}
		}
		return true
	})
	eventually(t, "room for the next", func() bool {
		status, body, _ := post(t, r, request)
		return status == http.StatusOK && len(body) > 32<<20
	})
}

// TestHTTPUnreadStream: a stream whose answers nobody reads ends, over HTTP/2 too.
func TestHTTPUnreadStream(t *testing.T) {
	r := startHTTP(t, "--max-stream-stall=1s", "--drain-timeout=20s")
	client := connect.NewClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse](clientOf(t, true), r.url(streamPath))
	s := client.CallBidiStream(testContext(t))
	value := strings.Repeat("x", 1<<20)
	eventually(t, "the end of the stream", func() bool {
		return s.Send(&valkeybatchv1.StreamBatchesRequest{Request: batch([]string{"ECHO", value})}) != nil
	})
	eventually(t, "nothing in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 0 })
	_ = s.CloseRequest()
	_ = s.CloseResponse()
}
