package valkeytest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

func dialScripted(t *testing.T, s *Scripted) *Conn {
	t.Helper()
	c, err := local.Dial(t.Context(), s.Addr(), local.DialOptions{})
	return newConn(t, s.Addr(), c, err)
}

func TestScripted(t *testing.T) {
	s := StartScripted(t, func(conn int, args []string) []byte {
		switch args[0] {
		case "GET":
			return []byte("$5\r\nhello\r\n")
		case "BYE":
			return append([]byte("-ERR bye\r\n"), CloseMark...)
		case "PING":
			return NoReply
		}
		return nil
	})
	c := dialScripted(t, s)
	wantFrame(t, c.Do(t, "GET", "k"), "$5\r\nhello\r\n")
	wantFrame(t, c.Do(t, "MULTI"), "+OK\r\n")
	c.Send(t, "PING")
	c.Silent(t, 20*time.Millisecond)

	c = dialScripted(t, s)
	if err := s.Push(1, []byte(":7\r\n")); err != nil {
		t.Fatal(err)
	}
	wantFrame(t, c.Receive(t), ":7\r\n")
	wantFrame(t, c.Do(t, "BYE"), "-ERR bye\r\n")
	if _, err := c.client.Receive(t.Context()); err == nil {
		t.Error("the connection is still open")
	}
	if s.Connections() != 2 || s.Count("get") != 1 {
		t.Errorf("%d connections, %d GET", s.Connections(), s.Count("get"))
	}
	want := []Received{{0, []string{"HELLO", "3"}}, {0, []string{"GET", "k"}}, {0, []string{"MULTI"}}, {0, []string{"PING"}}, {1, []string{"HELLO", "3"}}, {1, []string{"BYE"}}}
	if diff := cmp.Diff(want, s.Received()); diff != "" {
		t.Error(diff)
	}
	if err := s.Push(1, nil); err == nil {
		t.Error("a push to a closed connection is no error")
	}

	c = dialScripted(t, s)
	s.CloseConnections()
	if _, err := c.client.Receive(t.Context()); err == nil {
		t.Error("the connection is still open")
	}
	addr := s.Addr()
	s.Close()
	s = StartScriptedAt(t, addr, func(int, []string) []byte { return nil })
	wantFrame(t, dialScripted(t, s).Do(t, "PING"), "+PONG\r\n")
}
