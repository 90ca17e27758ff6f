package server

import (
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// rawClient is an HTTP/2 client that pings as fast as it likes: gRPC's own does so every 10 s at most.
type rawClient struct {
	conn   net.Conn
	framer *http2.Framer
}

func pinger(t *testing.T, addr net.Addr) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	c := &rawClient{conn: conn, framer: http2.NewFramer(conn, conn)}
	if err := c.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// pings sends so many pings, each after the answer to the one before, and reports whether the
// server has cut the connection off for it.
func (c *rawClient) pings(t *testing.T, n int) (cut bool) {
	t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(30 * time.Second))
	for range n {
		time.Sleep(2 * time.Millisecond)
		if err := c.framer.WritePing(false, [8]byte{1}); err != nil {
			return true
		}
		for answered := false; !answered; {
			frame, err := c.framer.ReadFrame()
			if err != nil {
				return true
			}
			switch f := frame.(type) {
			case *http2.GoAwayFrame:
				if f.ErrCode != http2.ErrCodeEnhanceYourCalm {
					t.Fatalf("told to go away with %v", f.ErrCode)
				}
				return true
			case *http2.PingFrame:
				answered = f.IsAck()
			}
		}
	}
	return false
}
