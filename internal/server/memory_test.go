package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// TestMemoryMetrics: what requests and answers take on their way in and out is told, and nothing of
// it once they are over.
func TestMemoryMetrics(t *testing.T) {
	r := startHTTP(t, "--admin-listen=127.0.0.1:0")
	if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"SET", "big", strings.Repeat("x", 8<<20)})); err != nil {
		t.Fatal(err)
	}
	is := func(name string, least, most float64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s from %v to %v", name, least, most), func() bool {
			got := r.scrape(t).of("valkeybatch_" + name)
			return got >= least && got <= most
		})
	}
	for _, name := range []string{"arriving_request_bytes", "http_request_bytes", "http_answer_bytes", "in_flight_reply_bytes"} {
		is(name, 0, 0)
	}
	connect := func(length int, body string) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", r.HTTPAddrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", executePath, length, body)
		return conn
	}
	for _, listener := range []string{"grpc", "http"} {
		if got := r.scrape(t).of("valkeybatch_connections", "listener="+listener); (got == 1) != (listener == "grpc") {
			t.Errorf("%v connections by %s", got, listener)
		}
	}
	half := connect(100_000, strings.Repeat(" ", 50_000))
	is("http_request_bytes", 50_000, 50_000)
	half.Close()
	is("http_request_bytes", 0, 0)

	request := `{"batch": {"commands": [{"args": ["R0VU", "Ymln"]}]}}` // GET big
	unread := connect(len(request), request)
	_ = unread.SetReadDeadline(time.Now().Add(30 * time.Second))
	if line, err := bufio.NewReader(unread).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	is("http_answer_bytes", 8<<20, 64<<20)
	unread.Close()
	is("http_answer_bytes", 0, 0)

	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	s, err := dial(t, r.Addrs()[0]).NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, valkeybatchv1.BatchService_ExecuteBatch_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendMsg(batch([]string{"ECHO", strings.Repeat("x", 512<<10)})); err != nil { // and never the end
		t.Fatal(err)
	}
	is("arriving_request_bytes", 512<<10, 513<<10)
	cancel()
	is("arriving_request_bytes", 0, 0)
	is("in_flight_reply_bytes", 0, 0)
}
