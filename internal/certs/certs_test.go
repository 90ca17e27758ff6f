package certs_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/certs"
	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
)

// handshake connects a client to a server over a loopback connection and returns what either
// side says of it.
func handshake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			secured := tls.Server(conn, server)
			if err = secured.HandshakeContext(t.Context()); err == nil {
				_, err = secured.Write([]byte("x"))
			}
			state = secured.ConnectionState()
			err = errors.Join(err, conn.Close())
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	secured := tls.Client(conn, client)
	if clientErr = secured.HandshakeContext(t.Context()); clientErr == nil {
		// A client of TLS 1.3 learns what the server thinks of its certificate only by reading.
		_, clientErr = secured.Read(make([]byte, 1))
	}
	conn.Close()
	return state, <-done, clientErr
}

func newServer(t *testing.T, s certs.Server, log *bytes.Buffer) *certs.Config {
	t.Helper()
	c, err := certs.NewServer(s, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCallersCertificates(t *testing.T) {
	authority, other := certstest.NewAuthority(t), certstest.NewAuthority(t)
	files := authority.Write(t, t.TempDir(), certstest.Names{})
	client := func(a *certstest.Authority, names *certstest.Names) *tls.Config {
		out := a.Client(t, names)
		out.RootCAs = authority.Client(t, nil).RootCAs
		return out
	}
	old := client(authority, nil)
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	twelve := client(authority, &certstest.Names{})
	twelve.MaxVersion = tls.VersionTLS12
	for _, test := range []struct {
		name     string
		ca       string
		optional bool
		client   *tls.Config
		refused  string
	}{
		{"no authority", "", false, client(authority, nil), ""},
		{"TLS 1.1", "", false, old, "version"},
		{"TLS 1.2", files.CA, false, twelve, ""},
		{"with certificate", files.CA, false, client(authority, &certstest.Names{}), ""},
		{"without", files.CA, false, client(authority, nil), "didn't provide a certificate"},
		{"without, optional", files.CA, true, client(authority, nil), ""},
		{"expired", files.CA, false, client(authority, &certstest.Names{Expired: true}), "expired"},
		{"expired, optional", files.CA, true, client(authority, &certstest.Names{Expired: true}), "expired"},
		{"another authority", files.CA, false, client(other, &certstest.Names{}), "unknown authority"},
		{"another authority, optional", files.CA, true, client(other, &certstest.Names{}), "unknown authority"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newServer(t, certs.Server{Cert: files.Cert, Key: files.Key, ClientCA: test.ca, Optional: test.optional}, new(bytes.Buffer))
			_, serverErr, clientErr := handshake(t, certs.Serving(server), test.client)
			switch {
			case test.refused == "" && (serverErr != nil || clientErr != nil):
				t.Errorf("server: %v; client: %v", serverErr, clientErr)
			case test.refused != "" && (clientErr == nil || serverErr == nil || !strings.Contains(serverErr.Error(), test.refused)):
				t.Errorf("server: %v; client: %v, want %q", serverErr, clientErr, test.refused)
			}
		})
	}
}

func TestServerRotates(t *testing.T) {
	dir := t.TempDir()
	before, after := certstest.NewAuthority(t), certstest.NewAuthority(t)
	files := before.Write(t, dir, certstest.Names{})
	var log bytes.Buffer
	c := newServer(t, certs.Server{Cert: files.Cert, Key: files.Key, ClientCA: files.CA}, &log)
	serving := certs.Serving(c)
	meets := func(a *certstest.Authority) bool {
		_, serverErr, clientErr := handshake(t, serving, a.Client(t, &certstest.Names{}))
		return serverErr == nil && clientErr == nil
	}
	if !meets(before) || meets(after) {
		t.Fatal("the first certificates are not in force")
	}
	// Half a rotation, as seen between two writes: the key is not the certificate's.
	_, key := after.Issue(t, certstest.Names{})
	if err := os.WriteFile(files.Key, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Check() || !meets(before) {
		t.Error("a key of another certificate is taken")
	}
	if !strings.Contains(log.String(), files.Key) || strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("log %q", log.String())
	}
	after.Write(t, dir, certstest.Names{})
	if err := os.WriteFile(files.CA, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Check() || !meets(before) {
		t.Error("an authority that is none is taken")
	}
	after.Write(t, dir, certstest.Names{})
	if !c.Check() || meets(before) || !meets(after) {
		t.Error("the new certificates are not in force")
	}
}

func TestClientRotates(t *testing.T) {
	before, after := certstest.NewAuthority(t), certstest.NewAuthority(t)
	serverOf := func(a *certstest.Authority) *tls.Config {
		files := a.Write(t, t.TempDir(), certstest.Names{})
		return certs.Serving(newServer(t, certs.Server{Cert: files.Cert, Key: files.Key, ClientCA: files.CA}, new(bytes.Buffer)))
	}
	first, second := serverOf(before), serverOf(after)
	dir := t.TempDir()
	files := before.Write(t, dir, certstest.Names{URI: "spiffe://example.org/batch"})
	c, err := certs.NewClient(certs.Client{CA: files.CA, Cert: files.Cert, Key: files.Key, ServerName: "localhost"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	meets := func(server *tls.Config) bool {
		_, serverErr, clientErr := handshake(t, server, c.Load())
		return serverErr == nil && clientErr == nil
	}
	if !meets(first) || meets(second) {
		t.Fatal("the first certificates are not in force")
	}
	after.Write(t, dir, certstest.Names{})
	if !c.Check() || meets(first) || !meets(second) {
		t.Error("the new certificates are not in force")
	}
}

func TestBadFiles(t *testing.T) {
	files := certstest.NewAuthority(t).Write(t, t.TempDir(), certstest.Names{})
	for name, s := range map[string]certs.Server{
		"missing":      {Cert: files.Cert + "x", Key: files.Key},
		"no key":       {Cert: files.Cert, Key: files.Cert},
		"no authority": {Cert: files.Cert, Key: files.Key, ClientCA: files.Key},
	} {
		if _, err := certs.NewServer(s, slog.Default()); err == nil || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := certs.NewClient(certs.Client{CA: files.Key}, slog.Default()); err == nil {
		t.Error("a key is an authority")
	}
}
