package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// TestDefectWhileReading: a panic in the reading of replies ends that connection and what is in
// flight on it, and is logged with its stack; the next sub-batch gets another connection.
func TestDefectWhileReading(t *testing.T) {
	b := NewBatch(1, nil)
	b.Add([][]byte{[]byte("PING")})
	spoil := func() { b.replies = nil } // there is no room for the reply
	var log strings.Builder
	p := NewPool(Config{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			spoilt := spoil
			spoil = func() {}
			go func() {
				defer server.Close()
				buf := make([]byte, 4096)
				for _, answer := range []string{"%0\r\n", "+PONG\r\n"} {
					if _, err := server.Read(buf); err != nil {
						return
					}
					if answer[0] == '+' {
						spoilt()
					}
					if _, err := io.WriteString(server, answer); err != nil {
						return
					}
				}
				_, _ = io.Copy(io.Discard, server)
			}()
			return client, nil
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n := p.Get("defect:1")
	n.Do(ctx, Target{}, b)
	if _, state := b.Reply(0); state != Unknown || !errors.Is(b.Err(), errDefect) {
		t.Errorf("state %v, %v", state, b.Err())
	}
	for { // the node may be left alone for a moment first
		next := NewBatch(1, nil)
		next.Add([][]byte{[]byte("PING")})
		n.Do(ctx, Target{}, next)
		if reply, _ := next.Reply(0); reply.IsSimple("PONG") {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the next sub-batch: %v", next.Err())
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.Close() // the log is whole
	if text := log.String(); !strings.Contains(text, "met a defect") || !strings.Contains(text, "index out of range") || !strings.Contains(text, "reader.go") {
		t.Errorf("the log is %q", text)
	}
}
