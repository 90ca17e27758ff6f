package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/config"
)

const (
	unaryPath  = valkeybatchv1.BatchService_ExecuteBatch_FullMethodName
	streamPath = valkeybatchv1.BatchService_StreamBatches_FullMethodName
)

// patience is how long the server may take to answer or to close.
const patience = 60 * time.Second

// target is a server on the in-memory store that hostile bytes are sent to, and a client that
// keeps to the rules.
type target struct {
	server  *Server
	healthy valkeybatchv1.BatchServiceClient
	errors  atomic.Int64 // lines of its log that tell of a defect
	last    atomic.Value // the last of them
}

// Enabled, Handle, WithAttrs and WithGroup implement slog.Handler.
func (t *target) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (t *target) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	t.last.Store(text)
	t.errors.Add(1)
	return nil
}

func (t *target) WithAttrs([]slog.Attr) slog.Handler { return t }
func (t *target) WithGroup(string) slog.Handler      { return t }

func newTarget(tb testing.TB) *target {
	tb.Helper()
	command, err := config.Parse([]string{"--listen=127.0.0.1:0", "--default-timeout=1s", "--max-timeout=1s", "--drain-timeout=0s"}, "v0",
		config.Streams{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Exit: func(int) {}})
	if err != nil {
		tb.Fatal(err)
	}
	t := &target{}
	if t.server, err = New(command.Serve, slog.New(t)); err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- t.server.Run(ctx) }()
	conn, err := grpc.NewClient("passthrough:///"+t.server.Addrs()[0].String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	t.healthy = valkeybatchv1.NewBatchServiceClient(conn)
	tb.Cleanup(func() {
		conn.Close()
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return t
}

// checkHealth fails the test unless the server has met no defect, holds nothing for calls that
// have ended, and answers others.
func (t *target) checkHealth(tb testing.TB) {
	tb.Helper()
	if t.errors.Load() > 0 {
		tb.Fatalf("the server logged: %v", t.last.Load())
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := t.healthy.ExecuteBatch(ctx, batch([]string{"ECHO", "healthy"}))
	if err != nil || got.GetResults()[0].GetStringValue() != "healthy" {
		tb.Fatalf("a healthy call afterwards: %v, %v", got, err)
	}
	for {
		batches, size := t.server.backend.service.InFlight()
		if batches == 0 && size == 0 {
			return
		}
		if ctx.Err() != nil {
			tb.Fatalf("%d batches of %d bytes stay in flight", batches, size)
		}
		time.Sleep(time.Millisecond)
	}
}

// ending is what a caller does behind the last byte of a call.
type ending uint8

const (
	endStream ending = iota // half-closes it, as a well-behaved caller does
	resetStream
	closeConn
	endings
)

// rawCall is one call, given by what goes over the wire.
type rawCall struct {
	method, path, contentType, encoding string
	body                                []byte // what DATA frames hold
	piece                               int    // bytes of it in each
	end                                 ending
}

// answer is how a call ended: with a status, or reset, or with the end of the connection.
type answer struct {
	http, status string // of the headers; empty: none
	reset        bool
	closed       bool
	data         []byte
}

// frame is a gRPC message: its prefix, with the flag and the length as they are given.
func frame(flag byte, length int, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(length)), message...)
}

// headers are the call's headers. Characters that cannot stand in a header are sent all the same.
func (c *rawCall) headers() []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, h := range [][2]string{
		{":method", c.method}, {":scheme", "http"}, {":path", c.path}, {":authority", "x"},
		{"te", "trailers"}, {"content-type", c.contentType}, {"grpc-encoding", c.encoding},
	} {
		if h[1] != "" {
			_ = e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}) // to a buffer
		}
	}
	return block.Bytes()
}

// do carries out a call on a connection of its own.
func (t *target) do(c rawCall) (answer, error) {
	nc, err := net.Dial("tcp", t.server.Addrs()[0].String())
	if err != nil {
		return answer{}, err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	f := http2.NewFramer(nc, nc)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.write(nc, f)
	if c.end == closeConn {
		return answer{closed: true}, nil
	}
	return read(f)
}

// write sends the call. The server may hang up at any time, which reading finds out.
func (c *rawCall) write(nc net.Conn, f *http2.Framer) {
	const window = 1 << 30
	_, _ = io.WriteString(nc, http2.ClientPreface)
	_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	_ = f.WriteWindowUpdate(0, window)
	headers := c.headers()
	const most = 16 << 10 // bytes of a frame
	first := headers[:min(len(headers), most)]
	headers = headers[len(first):]
	atOnce := len(c.body) == 0 && c.end == endStream
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndHeaders: len(headers) == 0, EndStream: atOnce})
	for len(headers) > 0 {
		next := headers[:min(len(headers), most)]
		headers = headers[len(next):]
		_ = f.WriteContinuation(1, len(headers) == 0, next)
	}
	for body := c.body; len(body) > 0; {
		next := body[:min(len(body), max(c.piece, 1), most)]
		body = body[len(next):]
		_ = f.WriteData(1, len(body) == 0 && c.end == endStream, next)
	}
	if c.end == resetStream {
		_ = f.WriteRSTStream(1, http2.ErrCodeCancel)
		_ = f.WritePing(false, [8]byte{}) // whose answer shows that the connection goes on
	}
}

// read reads up to the end of the call.
func read(f *http2.Framer) (a answer, err error) {
	for {
		got, err := f.ReadFrame()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return a, errors.New("neither an answer nor the end of the connection")
		case err != nil:
			a.closed = true
			return a, nil
		}
		switch got := got.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range got.Fields {
				switch h.Name {
				case ":status":
					a.http = h.Value
				case "grpc-status":
					a.status = h.Value
				}
			}
			if got.StreamEnded() {
				return a, nil
			}
		case *http2.DataFrame:
			a.data = append(a.data, got.Data()...)
			if got.StreamEnded() {
				return a, nil
			}
		case *http2.RSTStreamFrame:
			a.reset = true
			return a, nil
		case *http2.GoAwayFrame:
			a.closed = true
			return a, nil
		case *http2.PingFrame:
			if got.IsAck() {
				a.reset = true // by ourselves
				return a, nil
			}
		}
	}
}

// ended reports whether the caller was told how the call ended.
func (a answer) ended() bool {
	return a.status != "" || a.reset || a.closed || (a.http != "" && !strings.HasPrefix(a.http, "2"))
}
