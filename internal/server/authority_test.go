package server

import (
	"crypto/tls"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
)

// TestCallersAuthorityRotatedUnderLoad exchanges the authority of callers' certificates as one
// does, trusting both for a while, under callers who keep a connection and callers who make a new
// one each time, and expects no failed batch; then that certificates of the old one are refused, to
// a client that would resume a session of before too.
func TestCallersAuthorityRotatedUnderLoad(t *testing.T) {
	own, before, after := certstest.NewAuthority(t), certstest.NewAuthority(t), certstest.NewAuthority(t)
	files := own.Write(t, t.TempDir(), certstest.Names{})
	trust := func(authorities ...*certstest.Authority) {
		t.Helper()
		var all []byte
		for _, a := range authorities {
			all = slices.Concat(all, a.PEM)
		}
		if err := os.WriteFile(files.CA, all, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust(before)
	path, _ := authFile(t, "identities:\n  - {name: orders, certificates: [\"uri:spiffe://x.org/orders\"]}\n")
	r := start(t, settings(t, "--reload-interval=10ms", "--auth-file="+path,
		"--tls-cert="+files.Cert, "--tls-key="+files.Key, "--tls-client-ca="+files.CA))
	settingsOf := func(a *certstest.Authority) *tls.Config {
		out := a.Client(t, &certstest.Names{URI: "spiffe://x.org/orders"})
		out.RootCAs = own.Client(t, nil).RootCAs
		return out
	}
	old, later := settingsOf(before), settingsOf(after)
	resuming := old.Clone()
	resuming.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	resumes := func() bool {
		t.Helper()
		return ping(t, dialTLS(t, r.Addrs()[0], resuming)) == nil
	}
	var using sync.RWMutex // held by who uses current for a connection
	current := old
	more, stop := r.underLoad(t, old, func(use func(*tls.Config)) {
		using.RLock()
		defer using.RUnlock()
		use(current)
	})
	defer stop()
	more()
	for range 2 { // the second time there may be a session
		if !resumes() {
			t.Fatal("a caller of the authority is refused")
		}
	}
	if err := ping(t, dialTLS(t, r.Addrs()[0], later)); err == nil {
		t.Fatal("the new authority is trusted before it is told of")
	}
	trust(before, after)
	eventually(t, "both are trusted", func() bool { return ping(t, dialTLS(t, r.Addrs()[0], later)) == nil })
	more()
	using.Lock() // nobody is left who makes connections with the old one
	current = later
	using.Unlock()
	more()
	trust(after)
	eventually(t, "the old one is refused", func() bool { return ping(t, dialTLS(t, r.Addrs()[0], old)) != nil })
	if resumes() {
		t.Error("a session of a caller whose authority is not trusted any more is resumed")
	}
	more()
}
