package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// over posts a request on a connection, and reads its answer.
func over(conn net.Conn, in *bufio.Reader, body string) (*http.Response, error) {
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		executePath, len(body), body); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return resp, nil
}

// TestHTTPConnections: connections count over all HTTP listeners, and those that are too many are
// closed at once, which the log tells.
func TestHTTPConnections(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "h")
	r := startHTTP(t, "--http-listen=127.0.0.1:0,unix://"+socket, "--max-connections=2")
	first := r.dialHTTP(t)
	second, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for _, conn := range []net.Conn{first, second} {
		if _, err := over(conn, bufio.NewReader(conn), pingJSON); err != nil {
			t.Fatal(err)
		}
	}
	third, err := net.Dial("tcp", r.HTTPAddrs()[1].String())
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	_ = third.SetDeadline(time.Now().Add(30 * time.Second))
	if n, err := third.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the third: %d, %v", n, err)
	}
	eventually(t, "a line", func() bool {
		return strings.Contains(r.log.String(), "refused a connection: too many are open") && strings.Contains(r.log.String(), "actual=3 allowed=2")
	})
	if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"PING"})); err != nil {
		t.Errorf("gRPC's count for themselves: %v", err)
	}
	second.Close()
	eventually(t, "room for another", func() bool {
		conn, err := net.Dial("tcp", r.HTTPAddrs()[1].String()) // as plain as the first
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = over(conn, bufio.NewReader(conn), pingJSON)
		return err == nil
	})
	first.Close()
	eventually(t, "none open", func() bool { return r.http.Connections() == 0 })
}

// TestHTTPConnectionAge: a connection that is old is told so with the next answer, in both versions,
// and is cut off, with a stream that goes on, when the grace has passed.
func TestHTTPConnectionAge(t *testing.T) {
	r := startHTTP(t, "--max-connection-age=300ms", "--max-connection-age-grace=20s")
	conn := r.dialHTTP(t)
	in := bufio.NewReader(conn)
	eventually(t, "the last answer", func() bool {
		resp, err := over(conn, in, pingJSON)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Close
	})
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: %v", err)
	}
	// Over HTTP/2 every call is answered, on one connection after the other.
	var dialed atomic.Int64
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := connect.NewClient[valkeybatchv1.ExecuteBatchRequest, valkeybatchv1.ExecuteBatchResponse](&http.Client{Transport: transport}, r.url(executePath))
	eventually(t, "a third connection", func() bool {
		if _, err := client.CallUnary(testContext(t), connect.NewRequest(batch([]string{"PING"}))); err != nil {
			t.Fatal(err)
		}
		return dialed.Load() >= 3
	})
	// A stream, which never ends by itself, is cut off after the grace.
	r = startHTTP(t, "--max-connection-age=100ms", "--max-connection-age-grace=5s")
	stream := connect.NewClient[valkeybatchv1.StreamBatchesRequest, valkeybatchv1.StreamBatchesResponse](
		clientOf(t, true), r.url(streamPath)).CallBidiStream(testContext(t))
	if err := stream.Send(&valkeybatchv1.StreamBatchesRequest{Id: 1, Request: batch([]string{"PING"})}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Receive(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Receive(); err == nil || connect.CodeOf(err) == connect.CodeDeadlineExceeded {
		t.Errorf("the stream is not cut off: %v", err)
	}
	_ = stream.CloseRequest()
	_ = stream.CloseResponse()
}

// TestHTTPDrainUnderLoad: callers that go on until their connection is told to end lose nothing, and the
// server has counted what they have.
func TestHTTPDrainUnderLoad(t *testing.T) {
	r := startHTTP(t, "--drain-delay=3s", "--admin-listen=127.0.0.1:0")
	const callers = 8
	var answered atomic.Int64
	var wait sync.WaitGroup
	stopped := make(chan error, 1)
	for i := range callers {
		conn := r.dialHTTP(t)
		wait.Go(func() {
			in := bufio.NewReader(conn)
			body := fmt.Sprintf(`{"batch": {"is_atomic": %v, "commands": [{"text_args": ["INCR", "n"]}, {"text_args": ["INCR", "n%d"]}]}}`, i%2 == 0, i)
			for {
				resp, err := over(conn, in, body)
				if err != nil {
					t.Errorf("caller %d: %v", i, err)
					return
				}
				answered.Add(1)
				if resp.Close {
					break
				}
				time.Sleep(time.Duration(i) * time.Millisecond) // idle connections among them
			}
			if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("caller %d: the connection does not end: %v", i, err)
			}
		})
	}
	eventually(t, "load", func() bool { return answered.Load() > 200 })
	go func() { stopped <- r.stop() }()
	wait.Wait()
	// The delay goes on: a caller that comes late is answered, and told.
	conn := r.dialHTTP(t)
	resp, err := over(conn, bufio.NewReader(conn), `{"batch": {"commands": [{"text_args": ["GET", "n"]}]}}`)
	if err != nil || !resp.Close {
		t.Errorf("a late caller: %v, %v", resp, err)
	}
	counted := r.scrape(t).of("valkeybatch_batches_total", "status=OK")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if want := float64(answered.Load() + 1); counted != want {
		t.Errorf("%v batches are counted, and %v answered", counted, want)
	}
}
