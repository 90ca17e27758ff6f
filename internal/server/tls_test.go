package server

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
	"github.com/valkeybatch/valkeybatch/internal/config"
)

// dialTLS connects to a server's listener with TLS.
func dialTLS(t *testing.T, addr net.Addr, settings *tls.Config, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr.String(),
		append(opts, grpc.WithTransportCredentials(credentials.NewTLS(settings)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ping carries out a batch and returns its error.
func ping(t *testing.T, conn *grpc.ClientConn, opts ...grpc.CallOption) error {
	t.Helper()
	_, err := valkeybatchv1.NewBatchServiceClient(conn).ExecuteBatch(testContext(t), batch([]string{"PING"}), opts...)
	return err
}

func TestTLS(t *testing.T) {
	authority, other := certstest.NewAuthority(t), certstest.NewAuthority(t)
	files := authority.Write(t, t.TempDir(), certstest.Names{})
	socket := filepath.Join(t.TempDir(), "s")
	r := start(t, settings(t, "--listen=unix://"+socket, "--tls-cert="+files.Cert, "--tls-key="+files.Key, "--tls-client-ca="+files.CA))
	known := &certstest.Names{URI: "spiffe://example.org/x"}
	trusting := func(a *certstest.Authority, names *certstest.Names) *tls.Config {
		out := a.Client(t, names)
		out.RootCAs = authority.Client(t, nil).RootCAs
		return out
	}
	for name, test := range map[string]struct {
		client *tls.Config
		log    string // part of the line of the refusal; empty: none
	}{
		"known":             {trusting(authority, known), ""},
		"no certificate":    {trusting(authority, nil), "didn't provide a certificate"},
		"expired":           {trusting(authority, &certstest.Names{Expired: true}), "expired"},
		"wrong authority":   {trusting(other, known), "unknown authority"},
		"distrustful":       {other.Client(t, known), "bad certificate"},
		"another host name": {func() *tls.Config { c := trusting(authority, known); c.ServerName = "db"; return c }(), "bad certificate"},
	} {
		err := ping(t, dialTLS(t, r.Addrs()[0], test.client))
		if (err == nil) != (test.log == "") || err != nil && status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
		if test.log != "" {
			eventually(t, name+" is logged", func() bool { return strings.Contains(r.log.String(), test.log) })
		}
	}
	if err := ping(t, dial(t, r.Addrs()[0])); err == nil {
		t.Error("a call without TLS is carried out")
	}
	if err := ping(t, dial(t, r.Addrs()[1])); err != nil {
		t.Errorf("on the unix socket: %v", err)
	}
	probe := config.Healthcheck{Address: r.Addrs()[0].String(), Timeout: 10 * time.Second, TLS: true, CA: files.CA, Cert: files.Cert, Key: files.Key}
	if err := Healthcheck(t.Context(), &probe); err != nil {
		t.Errorf("the probe: %v", err)
	}
	for name, bad := range map[string]config.Healthcheck{
		"settings without TLS":    {CA: files.CA},
		"certificate without key": {TLS: true, Cert: files.Cert},
		"no certificate":          {TLS: true, CA: files.CA},
		"no CA":                   {TLS: true, Cert: files.Cert, Key: files.Key},
	} {
		bad.Address, bad.Timeout = probe.Address, 10*time.Second
		if err := Healthcheck(t.Context(), &bad); err == nil {
			t.Errorf("the probe with %s succeeds", name)
		}
	}
}

// underLoad has callers send batches until stop is called, on connections that they keep and on new
// ones for which each gives the settings. More waits for some more batches. No batch may fail.
func (r *running) underLoad(t *testing.T, kept *tls.Config, each func(use func(*tls.Config))) (more, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var done atomic.Int64
	for range 2 {
		load.Go(func() {
			conn := dialTLS(t, r.Addrs()[0], kept)
			for ctx.Err() == nil {
				if err := ping(t, conn); err != nil {
					t.Errorf("on a kept connection: %v", err)
				}
				done.Add(1)
			}
		})
		load.Go(func() {
			for ctx.Err() == nil {
				each(func(settings *tls.Config) {
					conn := dialTLS(t, r.Addrs()[0], settings)
					defer conn.Close()
					if err := ping(t, conn); err != nil {
						t.Errorf("on a new connection: %v", err)
					}
				})
				done.Add(1)
			}
		})
	}
	more = func() {
		t.Helper()
		n := done.Load()
		eventually(t, "batches go on", func() bool { return done.Load() > n+20 })
	}
	return more, func() {
		cancel()
		load.Wait()
	}
}

// TestTLSRotatedUnderLoad exchanges the certificates and the authority while callers who keep a
// connection and callers who make a new one each time go on, and expects no failed batch.
func TestTLSRotatedUnderLoad(t *testing.T) {
	before, after := certstest.NewAuthority(t), certstest.NewAuthority(t)
	dir := t.TempDir()
	files := before.Write(t, dir, certstest.Names{})
	r := start(t, settings(t, "--reload-interval=10ms", "--tls-cert="+files.Cert, "--tls-key="+files.Key))
	// Callers trust both, as they must while an authority is exchanged.
	both := before.Client(t, nil).RootCAs
	both.AppendCertsFromPEM(after.PEM)
	client := &tls.Config{RootCAs: both, ServerName: "localhost"}
	more, stop := r.underLoad(t, client, func(use func(*tls.Config)) { use(client) })
	defer stop()
	more()
	for range 3 {
		after.Write(t, dir, certstest.Names{}) // file by file: what stands between is no pair
		eventually(t, "the new certificate is shown", func() bool {
			return ping(t, dialTLS(t, r.Addrs()[0], after.Client(t, nil))) == nil
		})
		more()
		before.Write(t, dir, certstest.Names{})
		eventually(t, "the old certificate is shown again", func() bool {
			return ping(t, dialTLS(t, r.Addrs()[0], before.Client(t, nil))) == nil
		})
		more()
	}
}

// TestConnectionAge checks that an old connection is exchanged without a failed call.
func TestConnectionAge(t *testing.T) {
	r := start(t, settings(t, "--max-connection-age=50ms", "--max-connection-age-grace=30s"))
	conn := dial(t, r.Addrs()[0])
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		if err := ping(t, conn); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeepalive checks that clients with customary settings are not cut off, and those that
// ping more often than is allowed are.
func TestKeepalive(t *testing.T) {
	for _, test := range []struct {
		least string
		cut   bool
	}{{"1ms", false}, {"1h", true}} {
		r := start(t, settings(t, "--keepalive-min-time="+test.least))
		raw := pinger(t, r.Addrs()[0])
		if cut := raw.pings(t, 8); cut != test.cut {
			t.Errorf("at most every %s: cut off %v", test.least, cut)
		}
	}
}
