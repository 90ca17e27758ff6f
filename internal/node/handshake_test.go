package node_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// logged is a logger's output.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestPasswordStaysSecret: what does not know HELLO may repeat its arguments, to nobody.
func TestPasswordStaysSecret(t *testing.T) {
	const password = "s3cr3tpw"
	for name, answer := range map[string]func(args []string) string{
		"unknown command": func(args []string) string {
			return fmt.Sprintf("ERR unknown command '%s', with args beginning with: '%s' ", args[0], strings.Join(args[1:], "' '"))
		},
		"proxy":     func(args []string) string { return "bad request: " + strings.Join(args, " ") },
		"WRONGPASS": func(args []string) string { return "WRONGPASS not " + args[3] },
	} {
		t.Run(name, func(t *testing.T) {
			s := valkeytest.StartScripted(t, func(_ int, args []string) []byte { return resp.AppendError(nil, answer(args)) })
			var log logged
			n := newPool(t, node.Config{Password: credential.Fixed(password), Logger: slog.New(slog.NewTextHandler(&log, nil))}).Get(s.Addr())
			for _, target := range []node.Target{ordinary, blocking, transaction} {
				b := do(t, n, target, command("PING"))
				wantConnectionError(t, b, node.OpHandshake)
				if strings.Contains(b.Err().Error(), password) {
					t.Errorf("error %v", b.Err())
				}
			}
			if log.String() == "" || strings.Contains(log.String(), password) {
				t.Errorf("log %s", &log)
			}
		})
	}
}

// TestUnsolicitedReplyIsNotShown: it may be somebody's data.
func TestUnsolicitedReplyIsNotShown(t *testing.T) {
	const value = "stored-value"
	addr := startRaw(t, func(p *peer) {
		p.read()
		p.say("+OK\r\n" + bulk(value))
		p.drain()
	})
	var log logged
	n := newPool(t, node.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}).Get(addr)
	wantOK(t, do(t, n, ordinary, command("PING")), "+OK\r\n")
	valkeytest.Eventually(t, "the breach is logged", func() error {
		if !strings.Contains(log.String(), "a reply to nothing") {
			return fmt.Errorf("log: %s", &log)
		}
		return nil
	})
	if strings.Contains(log.String(), value) || !strings.Contains(log.String(), fmt.Sprint(len(bulk(value)))) {
		t.Errorf("log: %s", &log)
	}
}

func TestUnixSocket(t *testing.T) {
	s := valkeytest.StartServer(t, valkeytest.UnixSocket())
	n := getNode(t, "unix://"+s.Socket())
	for _, target := range []node.Target{ordinary, {Class: node.Bulk}, blocking} {
		wantOK(t, do(t, n, target, command("PING")), "+PONG\r\n")
	}
	wantOK(t, do(t, n, transaction, command("PING")), "+QUEUED\r\n")
	b := do(t, getNode(t, "unix://"+filepath.Join(t.TempDir(), "none")), ordinary, command("PING"))
	wantConnectionError(t, b, node.OpDial)
}

// TestUnixSocketTLS: without a name set, a server behind a socket has to be "localhost".
func TestUnixSocketTLS(t *testing.T) {
	s := valkeytest.StartServer(t, valkeytest.TLS())
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, cert, key := s.TLSFiles()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	names := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		secured := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})
		if secured.Handshake() == nil {
			names <- secured.ConnectionState().ServerName
		} else {
			names <- ""
		}
	}()
	client := s.TLS().Clone()
	client.ServerName = ""
	do(t, newPool(t, node.Config{TLS: always(client)}).Get("unix://"+path), ordinary, command("PING"))
	if got := <-names; got != "localhost" {
		t.Errorf("server name %q", got)
	}
}
