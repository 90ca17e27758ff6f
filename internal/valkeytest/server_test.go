package valkeytest

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

func wantFrame(t *testing.T, got resp.Frame, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestServerLifeCycle(t *testing.T) {
	s := StartServer(t)
	addr := s.Addr()
	s.MustDo(t, "SET", "k", "v")
	wantFrame(t, s.Do(t, "GET", "k"), "$1\r\nv\r\n")
	if f := s.Do(t, "LPOP", "k"); f.ErrorCode() != "WRONGTYPE" {
		t.Errorf("an error is not returned as a reply: %q", f)
	}

	for name, down := range map[string]func(testing.TB){"stop": s.Stop, "kill": s.Kill} {
		down(t)
		if s.Running() {
			t.Errorf("%s: still running", name)
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("%s: the port still answers", name)
		}
		s.Start(t)
		if s.Addr() != addr {
			t.Errorf("%s: came back on %s, was %s", name, s.Addr(), addr)
		}
		wantFrame(t, s.Do(t, "DBSIZE"), ":0\r\n")
	}
}

func TestServerPause(t *testing.T) {
	s := StartServer(t)
	c := s.Dial(t)
	s.Pause(t)
	c.Send(t, "PING")
	c.Silent(t, 50*time.Millisecond)
	if !s.Running() {
		t.Error("a paused server does not count as running")
	}
	s.Resume(t)
	wantFrame(t, s.Do(t, "PING"), "+PONG\r\n")

	s.Pause(t)
	s.Stop(t) // also of a paused one
}

func TestServerOptions(t *testing.T) {
	t.Run("password", func(t *testing.T) {
		s := StartServer(t, Password("secret"), Args("--maxmemory", "100mb"))
		wantFrame(t, s.Do(t, "PING"), "+PONG\r\n")
		if got := s.Info(t, "memory", "maxmemory"); got != "104857600" {
			t.Errorf("maxmemory %q", got)
		}
		s.MustDo(t, "ACL", "SETUSER", "reader", "on", ">pw", "~*", "+get", "+hello")
		wantFrame(t, s.DialAs(t, "reader", "pw").Do(t, "GET", "k"), "_\r\n")
		if _, err := local.Dial(t.Context(), s.Addr(), local.DialOptions{Password: "wrong"}); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("a wrong password: %v", err)
		}
	})
	t.Run("TLS", func(t *testing.T) {
		s := StartServer(t, TLS())
		wantFrame(t, s.Do(t, "PING"), "+PONG\r\n")
		if _, err := local.Dial(t.Context(), s.Addr(), local.DialOptions{}); err == nil {
			t.Error("plain TCP is let in")
		}
		s.Kill(t)
		s.Start(t)
		wantFrame(t, s.Do(t, "PING"), "+PONG\r\n")
		ca, _, _ := s.TLSFiles()
		t.Cleanup(func() {
			if _, err := os.Stat(ca); err != nil {
				t.Errorf("the certificates go before the server does: %v", err)
			}
		})
	})
	t.Run("unix socket", func(t *testing.T) {
		s := StartServer(t, UnixSocket())
		c, err := local.Dial(t.Context(), s.Socket(), local.DialOptions{Network: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
	t.Run("another binary", func(t *testing.T) {
		s := StartServer(t, Binary("redis-server"))
		if v, r := s.Info(t, "server", "valkey_version"), s.Info(t, "server", "redis_version"); v != "" || r == "" {
			t.Errorf("valkey_version %q, redis_version %q", v, r)
		}
	})
}

func TestServerThatCannotStart(t *testing.T) {
	_, err := startServer([]Option{Binary("no-such-server")})
	if err == nil || !strings.Contains(err.Error(), "install-valkey.sh") {
		t.Errorf("a missing binary: %v", err)
	}
	_, err = startServer([]Option{Args("--no-such-option", "1")})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("a bad argument, the server's own words missing: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err = startServer([]Option{Port(l.Addr().(*net.TCPAddr).Port)}); err == nil {
		t.Error("a taken port is not an error")
	}
}

func TestServerLeavesNothingBehind(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	s, err := local.Start(ctx, local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pid := s.PID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	if p, err := os.FindProcess(pid); err == nil && p.Signal(nilSignal) == nil {
		t.Errorf("process %d is still there", pid)
	}
}

func TestConn(t *testing.T) {
	c := SharedServer(t).Dial(t)
	key := Key(t)
	wantFrame(t, c.Do(t, "MULTI"), "+OK\r\n")
	wantFrame(t, c.Do(t, "SET", key, "1"), "+QUEUED\r\n")
	wantFrame(t, c.Do(t, "EXEC"), "*1\r\n+OK\r\n")

	var cmds [][]string
	big := strings.Repeat("x", 100_000)
	for range 200 {
		cmds = append(cmds, []string{"ECHO", big})
	}
	for i, f := range c.Pipeline(t, cmds...) {
		if b, _ := f.Bytes(); string(b) != big {
			t.Fatalf("reply %d: %d bytes", i, len(b))
		}
	}

	c.Send(t, "SUBSCRIBE", key)
	if f := c.Receive(t); f.Type() != '>' {
		t.Errorf("no push: %q", f)
	}
	c.Silent(t, 20*time.Millisecond)
}

func TestSharedServerIsOne(t *testing.T) {
	first := SharedServer(t)
	if second := SharedServer(t); first != second {
		t.Errorf("two of them: %s and %s", first.Addr(), second.Addr())
	}
}

func TestCommandStats(t *testing.T) {
	s := StartServer(t)
	ResetStats(t, s)
	key := Key(t)
	for range 3 {
		s.Do(t, "GET", key)
	}
	s.Do(t, "CONFIG", "GET", "save")
	s.Do(t, "HSET", "only-two", "x")
	if got := s.CommandStats(t, "GET"); got != 3 {
		t.Errorf("get: %d calls", got)
	}
	if got := s.CommandStats(t, "config|get"); got != 1 {
		t.Errorf("config|get: %d calls", got)
	}
	if got := s.CommandStats(t, "never"); got != 0 {
		t.Errorf("never: %d calls", got)
	}
	if got := s.ErrorStats(t, "ERR"); got != 1 {
		t.Errorf("ERR: %d", got)
	}
}
