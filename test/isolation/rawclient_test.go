package isolation

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// raw is a client without manners: it sends the frames that it is told to.
type raw struct {
	conn   net.Conn
	framer *http2.Framer
	writes sync.Mutex

	mu       sync.Mutex
	received int64             // bytes of DATA
	ended    map[uint32]string // how calls ended: "RST_STREAM ...", or a status
	statuses map[uint32]error
	goAway   string
	gone     chan struct{} // the server closed the connection
}

// dialRaw connects. A client that is not to read never reads anything; one that is reads, answers
// pings and tells nothing of the room that it has: its window, of the given size for each call and
// 64 KiB for the connection, gets used up.
func dialRaw(t *testing.T, target string, reads bool, window uint32) *raw {
	t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(target, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	c := &raw{conn: conn, framer: http2.NewFramer(conn, conn), ended: map[uint32]string{}, statuses: map[uint32]error{}, gone: make(chan struct{})}
	t.Cleanup(func() {
		conn.Close()
		<-c.gone
	})
	c.must(t, func() error {
		if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
			return err
		}
		return c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	})
	if reads {
		go c.read()
	} else {
		close(c.gone)
	}
	return c
}

// must writes, within a time in which the server reads.
func (c *raw) must(t *testing.T, write func() error) {
	t.Helper()
	if err := c.write(write); err != nil {
		t.Fatal(err)
	}
}

func (c *raw) write(write func() error) error {
	c.writes.Lock()
	defer c.writes.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	return write()
}

func (c *raw) read() {
	defer close(c.gone)
	headers := hpack.NewDecoder(4096, nil)
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		c.mu.Lock()
		switch f := frame.(type) {
		case *http2.DataFrame:
			c.received += int64(len(f.Data()))
		case *http2.HeadersFrame:
			fields, _ := headers.DecodeFull(f.HeaderBlockFragment())
			if f.StreamEnded() {
				c.ended[f.StreamID] = "trailers"
				c.statuses[f.StreamID] = statusOf(fields)
			}
		case *http2.RSTStreamFrame:
			if c.ended[f.StreamID] == "" {
				c.ended[f.StreamID] = "RST_STREAM " + f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			c.goAway = f.ErrCode.String() + " " + string(f.DebugData())
		case *http2.SettingsFrame:
			if !f.IsAck() {
				go c.write(c.framer.WriteSettingsAck)
			}
		case *http2.PingFrame:
			if data := f.Data; !f.IsAck() {
				go c.write(func() error { return c.framer.WritePing(true, data) })
			}
		}
		c.mu.Unlock()
	}
}

// statusOf reads the status in trailers.
func statusOf(fields []hpack.HeaderField) error {
	for _, f := range fields {
		if f.Name == "grpc-status-details-bin" {
			encoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(f.Value, "="))
			if err != nil {
				return err
			}
			return decodeStatus(encoded)
		}
	}
	return nil
}

// ending is how a call ended, empty if it has not.
func (c *raw) ending(id uint32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended[id]
}

const (
	unaryPath  = valkeybatchv1.BatchService_ExecuteBatch_FullMethodName
	streamPath = valkeybatchv1.BatchService_StreamBatches_FullMethodName
)

// open begins a call. It has no deadline.
func (c *raw) open(id uint32, path string) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "x"}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return c.write(func() error {
		return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
	})
}

// data sends bytes in frames.
func (c *raw) data(id uint32, b []byte, end bool) error {
	for {
		piece := b[:min(len(b), 16<<10)]
		b = b[len(piece):]
		if err := c.write(func() error { return c.framer.WriteData(id, end && len(b) == 0, piece) }); err != nil || len(b) == 0 {
			return err
		}
	}
}

// prefixed puts the head of gRPC's messages before one, with a length that need not be its own.
func prefixed(b []byte, length int) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(length)), b...)
}

// message encodes a message as it is sent.
func message(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return prefixed(b, len(b))
}

// call sends a whole unary call.
func (c *raw) call(t *testing.T, id uint32, r *request) {
	t.Helper()
	if err := c.open(id, unaryPath); err != nil {
		t.Fatal(err)
	}
	if err := c.data(id, message(t, r), true); err != nil {
		t.Fatal(err)
	}
}
