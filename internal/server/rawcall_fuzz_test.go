package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

const grpcType = "application/grpc"

func encode(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// hostile are calls that break rules, and how they have to end; "": reset or closed.
func hostile(tb testing.TB) map[string]struct {
	call rawCall
	want string
} {
	good := encode(tb, batch([]string{"SET", "k", "v"}, []string{"GET", "k"}))
	message := frame(0, len(good), good)
	streamed := encode(tb, &valkeybatchv1.StreamBatchesRequest{Id: 7, Request: batch([]string{"ECHO", "x"})})
	onStream := frame(0, len(streamed), streamed)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	unary := func(body []byte) rawCall {
		return rawCall{method: "POST", path: unaryPath, contentType: grpcType, body: body, piece: 16 << 10}
	}
	stream := func(body []byte) rawCall {
		c := unary(body)
		c.path = streamPath
		return c
	}
	but := func(c rawCall, change func(c *rawCall)) rawCall { change(&c); return c }
	const ok, invalid, exhausted, unimplemented, internal = "0", "3", "8", "12", "13"
	return map[string]struct {
		call rawCall
		want string
	}{
		"a good call":                       {unary(message), ok},
		"a good call, byte by byte":         {but(unary(message), func(c *rawCall) { c.piece = 1 }), ok},
		"with a subtype":                    {but(unary(message), func(c *rawCall) { c.contentType = "application/grpc+proto" }), ok},
		"an unknown subtype":                {but(unary(message), func(c *rawCall) { c.contentType = "application/grpc+json" }), ok},
		"no message":                        {unary(nil), internal},
		"two messages":                      {unary(join(message, message)), internal},
		"half a prefix":                     {unary(message[:3]), internal},
		"half a message":                    {unary(message[:len(message)-2]), internal},
		"a length of 4 GiB":                 {unary(frame(0, 1<<32-1, good)), exhausted},
		"a length beyond the limit":         {unary(frame(0, 200<<20, good)), exhausted},
		"a shorter length":                  {unary(frame(0, len(good)-1, good)), internal},
		"compressed, without a compressor":  {unary(frame(1, len(good), good)), internal},
		"compressed, with an unknown one":   {but(unary(frame(1, len(good), good)), func(c *rawCall) { c.encoding = "snappy" }), unimplemented},
		"compressed, with identity":         {but(unary(frame(1, len(good), good)), func(c *rawCall) { c.encoding = "identity" }), internal},
		"another flag":                      {unary(frame(0x82, len(good), good)), internal},
		"garbage":                           {unary(frame(0, 4, []byte("\xff\xff\xff\xff"))), invalid},
		"an empty message":                  {unary(frame(0, 0, nil)), invalid},
		"an unknown method":                 {but(unary(message), func(c *rawCall) { c.path = "/valkeybatch.v1.BatchService/Nothing" }), unimplemented},
		"an unknown service":                {but(unary(message), func(c *rawCall) { c.path = "/x/y" }), unimplemented},
		"a path without a method":           {but(unary(message), func(c *rawCall) { c.path = "/x" }), unimplemented},
		"no path":                           {but(unary(message), func(c *rawCall) { c.path = "" }), unimplemented},
		"GET":                               {but(unary(message), func(c *rawCall) { c.method = "GET" }), internal},
		"another content type":              {but(unary(message), func(c *rawCall) { c.contentType = "application/json" }), invalid},
		"no content type":                   {but(unary(message), func(c *rawCall) { c.contentType = "" }), invalid},
		"reset behind the message":          {but(unary(message), func(c *rawCall) { c.end = resetStream }), ""},
		"reset in the message":              {but(unary(message[:8]), func(c *rawCall) { c.end = resetStream }), ""},
		"closed in the message":             {but(unary(message[:8]), func(c *rawCall) { c.end = closeConn }), ""},
		"a stream":                          {stream(join(onStream, onStream)), ok},
		"a stream without messages":         {stream(nil), ok},
		"a stream of empty messages":        {stream(join(frame(0, 0, nil), frame(0, 0, nil))), ok},
		"a stream with garbage":             {stream(join(onStream, frame(0, 4, []byte("\xff\xff\xff\xff")), onStream)), invalid},
		"a stream with a garbled request":   {stream(join(frame(0, 4, []byte("\x12\x02\xff\xff")), onStream)), ok},
		"a stream cut in a message":         {stream(join(onStream, onStream[:7])), internal},
		"a stream with a compressed one":    {stream(join(onStream, frame(1, len(streamed), streamed))), internal},
		"a stream reset behind its batches": {but(stream(join(onStream, onStream)), func(c *rawCall) { c.end = resetStream }), ""},
		"a stream closed behind them":       {but(stream(join(onStream, onStream)), func(c *rawCall) { c.end = closeConn }), ""},
	}
}

// TestHostileCalls: calls that break the rules of gRPC or of the contract end with a status or
// with their connection, and others do not feel it.
func TestHostileCalls(t *testing.T) {
	server := newTarget(t)
	for name, test := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			got, err := server.do(test.call)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != test.want || !got.ended() {
				t.Errorf("got %+v, want the status %q", got, test.want)
			}
			server.checkHealth(t)
		})
	}
}

// FuzzCall: whatever the headers and the body of a call are, it ends with a status or with its
// connection, and the server goes on as if nothing had been.
func FuzzCall(f *testing.F) {
	for _, h := range hostile(f) {
		c := h.call
		f.Add(c.method, c.path, c.contentType, c.encoding, c.body, uint16(c.piece), uint8(c.end))
	}
	server := newTarget(f)
	f.Fuzz(func(t *testing.T, method, path, contentType, encoding string, body []byte, piece uint16, end uint8) {
		got, err := server.do(rawCall{method: method, path: path, contentType: contentType, encoding: encoding,
			body: body, piece: int(piece), end: ending(end) % endings})
		if err != nil {
			t.Fatal(err)
		}
		if !got.ended() {
			t.Fatalf("no end: %+v", got)
		}
		server.checkHealth(t)
	})
}

// FuzzMessages: whatever the messages of a call are, in frames that are whole, every call is
// answered with a status.
func FuzzMessages(f *testing.F) {
	good := encode(f, batch([]string{"SET", "k", "v"}, []string{"MGET", "k", "l"}))
	streamed := encode(f, &valkeybatchv1.StreamBatchesRequest{Id: 1, Request: batch([]string{"ECHO", "x"})})
	f.Add(false, good, []byte(nil))
	f.Add(false, good, good)
	f.Add(true, streamed, streamed)
	f.Add(true, streamed, []byte("\x08\x01\x12\x02\xff\xff"))
	f.Add(false, []byte("\xff"), []byte(nil))
	server := newTarget(f)
	f.Fuzz(func(t *testing.T, stream bool, first, second []byte) {
		c := rawCall{method: "POST", path: unaryPath, contentType: grpcType, piece: 16 << 10, body: frame(0, len(first), first)}
		if stream {
			c.path = streamPath
		}
		if len(second) > 0 {
			c.body = append(c.body, frame(0, len(second), second)...)
		}
		got, err := server.do(c)
		if err != nil || got.status == "" {
			t.Fatalf("no status: %+v, %v", got, err)
		}
		server.checkHealth(t)
	})
}

// FuzzConnection: whatever a connection brings behind the preface, its end is its end.
func FuzzConnection(f *testing.F) {
	record := func(write func(f *http2.Framer)) {
		var b bytes.Buffer
		write(http2.NewFramer(&b, nil))
		f.Add(b.Bytes())
	}
	message := rawCall{method: "POST", path: unaryPath, contentType: grpcType}
	record(func(f *http2.Framer) { _ = f.WriteSettings() })
	record(func(f *http2.Framer) {
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: message.headers(), EndHeaders: true})
		_ = f.WriteData(1, true, frame(0, 0, nil))
		_ = f.WriteWindowUpdate(1, 1<<31-1)
		_ = f.WriteWindowUpdate(1, 1<<31-1)
	})
	record(func(f *http2.Framer) {
		_ = f.WriteSettings()
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: message.headers(), EndHeaders: false})
		_ = f.WriteContinuation(3, false, nil)
		_ = f.WritePing(false, [8]byte{})
	})
	record(func(f *http2.Framer) {
		_ = f.WriteData(1, false, []byte("to no stream"))
		_ = f.WriteRSTStream(5, http2.ErrCodeCancel)
		_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
	})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("\x00\x00\x00\xff\xff\xff\xff\xff\xff"))
	server := newTarget(f)
	f.Fuzz(func(t *testing.T, says []byte) {
		nc, err := net.Dial("tcp", server.server.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(nc, http2.ClientPreface) // it may hang up at any time
		_, _ = nc.Write(says)
		_ = nc.(*net.TCPConn).CloseWrite()
		_, err = io.Copy(io.Discard, nc)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("the server does not close the connection")
		}
		server.checkHealth(t)
	})
}
