package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// pingHTTP carries out a batch over HTTPS and returns its status.
func pingHTTP(t *testing.T, r *running, transport *http.Transport, token string) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, "https://"+r.HTTPAddrs()[0].String()+executePath,
		strings.NewReader(`{"batch": {"commands": [{"text_args": ["PING"]}]}}`))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// TestHTTPRotatedUnderLoad exchanges certificates and tokens while callers go on over HTTP/1.1 and
// HTTP/2, with kept connections and with new ones, and expects no failed batch; then that a token
// that was withdrawn is refused on a kept connection.
func TestHTTPRotatedUnderLoad(t *testing.T) {
	before, after := certstest.NewAuthority(t), certstest.NewAuthority(t)
	dir := t.TempDir()
	files := before.Write(t, dir, certstest.Names{})
	path, first := authFile(t, "identities:\n  - {name: orders, tokens: [TOKEN]}\n")
	r := start(t, settings(t, "--http-listen=127.0.0.1:0", "--reload-interval=10ms", "--auth-file="+path, "--tls-cert="+files.Cert, "--tls-key="+files.Key))
	both := before.Client(t, nil).RootCAs
	both.AppendCertsFromPEM(after.PEM)
	transport := func(trusts *tls.Config, http2, keep bool) *http.Transport {
		return &http.Transport{TLSClientConfig: trusts, ForceAttemptHTTP2: http2, DisableKeepAlives: !keep}
	}
	var using sync.RWMutex // held by who uses the token
	token := first
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var done [4]atomic.Int64
	for i := range done {
		load.Go(func() {
			own := transport(&tls.Config{RootCAs: both, ServerName: "localhost"}, i%2 == 0, i < 2)
			defer own.CloseIdleConnections()
			for ctx.Err() == nil {
				using.RLock()
				if status, err := pingHTTP(t, r, own, token); err != nil || status != http.StatusOK {
					t.Errorf("caller %d: %d, %v", i, status, err)
				}
				using.RUnlock()
				done[i].Add(1)
			}
		})
	}
	defer load.Wait()
	defer stop()
	more := func() {
		t.Helper()
		for i := range done {
			n := done[i].Load()
			eventually(t, fmt.Sprintf("caller %d goes on", i), func() bool { return done[i].Load() > n+3 })
		}
	}
	shown := func(authority *certstest.Authority, token string) bool {
		t.Helper()
		one := transport(authority.Client(t, nil), true, false)
		defer one.CloseIdleConnections()
		status, err := pingHTTP(t, r, one, token)
		return err == nil && status == http.StatusOK
	}
	kept := transport(&tls.Config{RootCAs: both, ServerName: "localhost"}, true, true)
	defer kept.CloseIdleConnections()
	if status, err := pingHTTP(t, r, kept, first); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	current, currentLine := first, auth.Hash(first)
	for _, authority := range []*certstest.Authority{after, before, after} {
		more()
		authority.Write(t, dir, certstest.Names{})
		eventually(t, "the other certificate is shown", func() bool { return shown(authority, current) })
		more()
		next, line := auth.NewToken()
		rewriteAuth(t, path, "identities:\n  - {name: orders, tokens: ["+currentLine+", "+line+"]}\n")
		eventually(t, "the new token is known", func() bool { return shown(authority, next) })
		using.Lock() // nobody is left who uses the old one
		token = next
		using.Unlock()
		rewriteAuth(t, path, "identities:\n  - {name: orders, tokens: ["+line+"]}\n")
		eventually(t, "the old token is refused", func() bool {
			status, err := pingHTTP(t, r, kept, current)
			return err == nil && status == http.StatusUnauthorized
		})
		current, currentLine = next, line
	}
	more()
}

// TestHTTPIdentityLimits checks that a caller at one of its limits is told over HTTP when to come
// back.
func TestHTTPIdentityLimits(t *testing.T) {
	valkey := valkeytest.StartServer(t)
	path, token := authFile(t, "identities:\n  - {name: slow, tokens: [TOKEN], max-in-flight-batches: 1}\n")
	r := startHTTP(t, "--valkey="+valkey.Addr(), "--auth-file="+path, "--reload-interval=10ms")
	limited := func(setting string, status int, body string) {
		t.Helper()
		var failed httpError
		if err := json.Unmarshal([]byte(body), &failed); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if status != http.StatusTooManyRequests || failed.Code != "resource_exhausted" || failed.reason() != "IDENTITY_LIMIT" {
			t.Errorf("%d %s", status, body)
		}
		told := false
		for _, d := range failed.Details {
			if d.Type == "google.rpc.ErrorInfo" && d.Debug.Metadata["setting"] != setting {
				t.Errorf("%v, want %s", d.Debug.Metadata, setting)
			}
			if d.Type == "google.rpc.RetryInfo" {
				delay, err := time.ParseDuration(d.Debug.RetryDelay)
				told = err == nil && delay > 0
			}
		}
		if !told {
			t.Errorf("no RetryInfo in %s", body)
		}
	}
	authorization := []string{"Authorization", "Bearer " + token}
	waiting := make(chan int, 1)
	go func() {
		defer close(waiting)
		status, _, _ := post(t, r, `{"batch": {"commands": [{"text_args": ["BLPOP", "list", "20"]}]}}`, authorization...)
		waiting <- status
	}()
	eventually(t, "a batch is in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 1 })
	status, body, _ := post(t, r, `{"batch": {"commands": [{"text_args": ["PING"]}]}}`, authorization...)
	limited("max-in-flight-batches", status, body)
	valkey.MustDo(t, "RPUSH", "list", "x")
	if status := <-waiting; status != http.StatusOK {
		t.Errorf("the batch that waits ends with %d", status)
	}
	rewriteAuth(t, path, "identities:\n  - {name: slow, tokens: ["+auth.Hash(token)+"], max-batches-per-second: 2}\n")
	eventually(t, "the rate is limited", func() bool {
		status, body, _ = post(t, r, `{"batch": {"commands": [{"text_args": ["PING"]}]}}`, authorization...)
		return status != http.StatusOK
	})
	limited("max-batches-per-second", status, body)
}
