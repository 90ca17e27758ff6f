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

// TestHTTPUnread: an answer counts as long as nobody reads it, and is given up in the end.
func TestHTTPUnread(t *testing.T) {
	r := startHTTP(t, "--max-stream-stall=5s", "--max-reply-bytes=64MiB", "--max-in-flight-reply-bytes=100MiB")
	value := strings.Repeat("x", 8<<20)
	if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"SET", "big", value})); err != nil {
		t.Fatal(err)
	}
	get := `{"args": ["R0VU", "Ymln"]}` // GET big
	request := `{"batch": {"commands": [` + strings.Join([]string{get, get, get, get}, ",") + `]}}`
	for range 2 { // of 43 MiB
		conn, err := net.Dial("tcp", r.HTTPAddrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", executePath, len(request), request)
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	status, body, _ := post(t, r, request)
	if status != http.StatusTooManyRequests || !strings.Contains(body, "reply bytes in flight") {
		t.Errorf("beside two that nobody reads: %d %.300s", status, body)
	}
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
