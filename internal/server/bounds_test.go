package server

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
)

// TestLongHeaders: a call whose headers come to more than any client needs is not read to its end.
func TestLongHeaders(t *testing.T) {
	target := newTarget(t)
	for length, want := range map[int]bool{1 << 10: false, 2 * headerBytes: true} {
		got, err := target.do(rawCall{method: "POST", path: unaryPath, contentType: "application/grpc", encoding: strings.Repeat("x", length)})
		if err != nil || !got.ended() || (got.reset || got.closed) != want {
			t.Errorf("headers of %d bytes: %+v, %v", length, got, err)
		}
	}
	target.checkHealth(t)
}

// TestHandshakesTakePlaces: connections that do not end their handshake count as others do, and
// one more is closed in good time though it says nothing either.
func TestHandshakesTakePlaces(t *testing.T) {
	authority := certstest.NewAuthority(t)
	files := authority.Write(t, t.TempDir(), certstest.Names{})
	r := start(t, settings(t, "--max-connections=2", "--tls-cert="+files.Cert, "--tls-key="+files.Key))
	open := func() net.Conn {
		c, err := net.Dial("tcp", r.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	silent := []net.Conn{open(), open()}
	eventually(t, "a connection is refused", func() bool {
		c := open()
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := c.Read(make([]byte, 1))
		return !errors.Is(err, os.ErrDeadlineExceeded) && strings.Contains(r.log.String(), "too many are open")
	})
	err := ping(t, dialTLS(t, r.Addrs()[0], authority.Client(t, nil)))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a caller who shakes hands: %v", err)
	}
	for _, c := range silent {
		c.Close()
	}
	eventually(t, "there is room again", func() bool {
		return ping(t, dialTLS(t, r.Addrs()[0], authority.Client(t, &certstest.Names{}))) == nil
	})
	// One that never ends its handshake is closed.
	c := open()
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("it stays open: %v", err)
	}
}

// TestOtherStreamsAreBounded: health watches are, and do not take the room of batches.
func TestOtherStreamsAreBounded(t *testing.T) {
	r := start(t, settings(t, "--max-streams=2"))
	conn := dial(t, r.Addrs()[0])
	watch := func() error {
		s, err := healthpb.NewHealthClient(conn).Watch(testContext(t), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Recv()
		return err
	}
	for range 2 {
		if err := watch(); err != nil {
			t.Fatal(err)
		}
	}
	err := watch()
	if status.Code(err) != codes.ResourceExhausted || infoOf(t, err).GetMetadata()["setting"] != "max-streams" {
		t.Errorf("the third watch: %v", err)
	}
	s := r.stream(t, testContext(t))
	if err := s.Send(nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Recv(); err != nil || got.GetError() == nil && got.GetResponse() == nil {
		t.Errorf("a stream of batches: %v, %v", got, err)
	}
}
