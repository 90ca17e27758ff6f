package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
	"github.com/valkeybatch/valkeybatch/internal/command"
)

// open opens a file of identities with this text.
func open(t testing.TB, text string) (*Callers, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.yaml")
	rewrite(t, path, text)
	c, err := Open(path, true, slog.New(slog.DiscardHandler))
	return c, path, err
}

func rewrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, text string) (*Callers, string) {
	t.Helper()
	c, path, err := open(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c, path
}

// withToken is a call's context with authorization metadata.
func withToken(values ...string) context.Context {
	return metadata.NewIncomingContext(context.Background(), metadata.MD{"authorization": values})
}

// withCertificate is a call's context on a connection with a certificate of these names.
func withCertificate(t testing.TB, names certstest.Names, verified bool) context.Context {
	t.Helper()
	data, _ := certstest.NewAuthority(t).Issue(t, names)
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	if verified {
		state.VerifiedChains = [][]*x509.Certificate{{cert}}
	}
	return peer.NewContext(context.Background(), &peer.Peer{AuthInfo: NewPeer(credentials.TLSInfo{State: state})})
}

func TestIdentify(t *testing.T) {
	token, line := NewToken()
	c, _ := mustOpen(t, fmt.Sprintf(`identities:
  - {name: orders, tokens: [%q], certificates: ["uri:spiffe://x.org/orders", "dns:Orders.internal"]}
  - {name: mail, certificates: ["email:a@x.org"]}
`, line))
	both := metadata.NewIncomingContext(withCertificate(t, certstest.Names{Email: "a@x.org"}, true), metadata.Pairs("authorization", "Bearer nonsense"))
	for name, test := range map[string]struct {
		ctx   context.Context
		name  string
		cause string
	}{
		"token":                                 {withToken("Bearer " + token), "orders", ""},
		"scheme's case":                         {withToken("bearer  " + token + " "), "orders", ""},
		"unknown token":                         {withToken("Bearer " + token + "x"), "", CauseUnknownToken},
		"the hash":                              {withToken("Bearer " + line), "", CauseUnknownToken},
		"no token":                              {withToken("Bearer "), "", CauseMalformed},
		"other scheme":                          {withToken("Basic " + token), "", CauseMalformed},
		"bare token":                            {withToken(token), "", CauseMalformed},
		"two tokens":                            {withToken("Bearer "+token, "Bearer "+token), "", CauseMalformed},
		"very long token":                       {withToken("Bearer " + strings.Repeat("x", maxToken+1)), "", CauseMalformed},
		"nothing":                               {context.Background(), "", CauseNoCredentials},
		"URI":                                   {withCertificate(t, certstest.Names{URI: "spiffe://x.org/orders"}, true), "orders", ""},
		"DNS":                                   {withCertificate(t, certstest.Names{DNS: "orders.Internal"}, true), "orders", ""},
		"e-mail":                                {withCertificate(t, certstest.Names{Email: "a@x.org"}, true), "mail", ""},
		"unverified":                            {withCertificate(t, certstest.Names{Email: "a@x.org"}, false), "", CauseNoCredentials},
		"unknown names":                         {withCertificate(t, certstest.Names{Email: "b@x.org"}, true), "", CauseUnknownCertificate},
		"expired meanwhile":                     {withCertificate(t, certstest.Names{Email: "a@x.org", Expired: true}, true), "", CauseExpiredCertificate},
		"a bad token beside a good certificate": {both, "", CauseUnknownToken},
	} {
		who, err := c.Identify(test.ctx)
		var unknown *UnknownError
		switch {
		case test.cause == "" && (err != nil || who.Name != test.name):
			t.Errorf("%s: %+v, %v", name, who, err)
		case test.cause != "" && (!errors.As(err, &unknown) || unknown.Cause != test.cause):
			t.Errorf("%s: %v, want %s", name, err, test.cause)
		case err != nil && strings.Contains(err.Error(), token):
			t.Errorf("%s: the token is in %q", name, err)
		}
	}
	if From(context.Background()) != nil || From(With(context.Background(), &Identity{Name: "x"})).Name != "x" {
		t.Error("the context does not keep who calls")
	}
}

func TestBadFiles(t *testing.T) {
	_, line := NewToken()
	one := "  - {name: a, tokens: [" + line + "]}\n"
	for name, test := range map[string]struct {
		text string
		says []string
	}{
		"empty":                          {"", []string{"no identities"}},
		"no list":                        {"identities: 5", []string{"auth-file"}},
		"unknown key":                    {"identities:\n  - {name: a, tokenz: [x]}", []string{"tokenz"}},
		"two documents":                  {"identities:\n" + one + "---\nidentities:\n" + one, []string{"more than one document"}},
		"no name":                        {"identities:\n  - {tokens: [" + line + "]}", []string{"identities[0]", "name"}},
		"name with space":                {"identities:\n  - {name: a b, tokens: [" + line + "]}", []string{"identities[0]", "name"}},
		"same name":                      {"identities:\n" + one + "  - {name: a, certificates: [dns:x]}", []string{"a: ", "another identity"}},
		"same token":                     {"identities:\n" + one + "  - {name: b, tokens: [" + line + "]}", []string{"b: tokens[0]", "stands at a"}},
		"same certificate":               {"identities:\n  - {name: a, certificates: [dns:x]}\n  - {name: b, certificates: [dns:X]}", []string{"b: certificates[0]", "stands at a"}},
		"nothing to know":                {"identities:\n  - {name: a}", []string{"a: ", "tokens or certificates"}},
		"a raw token":                    {"identities:\n  - {name: a, tokens: [vb_verysecret]}", []string{"a: tokens[0]", "sha256:"}},
		"a raw token in place of a list": {"identities:\n  - {name: a, tokens: verysecret}", []string{"line 2", "cannot unmarshal"}},
		"a short hash":                   {"identities:\n  - {name: a, tokens: [" + line[:20] + "]}", []string{"a: tokens[0]"}},
		"bad kind":                       {"identities:\n  - {name: a, certificates: [cn:x]}", []string{"certificates[0]", "cn:x"}},
		"bad command":                    {"identities:\n  - {name: a, tokens: [" + line + "], deny-command: [nosuch]}", []string{"a: ", "nosuch"}},
		"bad pattern":                    {"identities:\n  - {name: a, tokens: [" + line + "], keys: ['%X~a']}", []string{"a: ", "%X~a"}},
		"no batches":                     {"identities:\n  - {name: a, tokens: [" + line + "], max-in-flight-batches: 0}", []string{"max-in-flight-batches", "0 is out of range"}},
		"few bytes":                      {"identities:\n  - {name: a, tokens: [" + line + "], max-in-flight-bytes: 1}", []string{"max-in-flight-bytes", "1KiB to 1TiB"}},
		"not a size":                     {"identities:\n  - {name: a, tokens: [" + line + "], max-in-flight-bytes: many}", []string{"many"}},
		"no commands":                    {"identities:\n  - name: a\n    tokens: [" + line + "]\n    allow-command:\n", []string{"line 4", "allow-command", "a value is missing"}},
		"null commands":                  {"identities:\n  - {name: a, tokens: [" + line + "], deny-command: null}", []string{"deny-command", "a value is missing"}},
		"null in a list":                 {"identities:\n  - {name: a, tokens: [" + line + "], allow-command: [~]}", []string{"allow-command", "a value is missing"}},
		"no keys":                        {"identities:\n  - name: a\n    keys:\n    tokens: [" + line + "]\n", []string{"line 3", "keys", "a value is missing"}},
		"a null key":                     {"identities:\n  - {name: a, tokens: [" + line + "], keys: [~]}", []string{"keys", "a value is missing"}},
		"null keys by an alias":          {"identities:\n  - {name: &x null, tokens: [" + line + "], keys: *x}", []string{"a value is missing"}},
		"null keys merged":               {"identities:\n  - {name: a, tokens: [" + line + "], <<: {keys: ~}}", []string{"keys", "a value is missing"}},
		"null batches":                   {"identities:\n  - {name: a, tokens: [" + line + "], max-in-flight-batches: }", []string{"max-in-flight-batches", "a value is missing"}},
		"null bytes":                     {"identities:\n  - {name: a, tokens: [" + line + "], max-in-flight-bytes: ~}", []string{"max-in-flight-bytes", "a value is missing"}},
		"null rate":                      {"identities:\n  - {name: a, tokens: [" + line + "], max-batches-per-second: null}", []string{"max-batches-per-second", "a value is missing"}},
		"null user":                      {"identities:\n  - {name: a, tokens: [" + line + "], valkey-username: , valkey-password-file: }", []string{"valkey-username", "a value is missing"}},
		"negative rate":                  {"identities:\n  - {name: a, tokens: [" + line + "], max-batches-per-second: -1}", []string{"max-batches-per-second", "-1"}},
	} {
		_, path, err := open(t, test.text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, part := range append(test.says, path) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
		if strings.Contains(err.Error(), "verysecret") {
			t.Errorf("%s: a token is in %q", name, err)
		}
	}
}

// TestEmptyLists checks that a list that is there closes what it is about, though it be empty, and
// that a file in which a value got lost changes nothing.
func TestEmptyLists(t *testing.T) {
	token, line := NewToken()
	start := "identities:\n  - name: a\n    tokens: [" + line + "]\n"
	c, path := mustOpen(t, start)
	refuses := func(words ...string) bool {
		t.Helper()
		who, err := c.Identify(withToken("Bearer " + token))
		if err != nil {
			t.Fatal(err)
		}
		args := make([][]byte, len(words))
		for i, word := range words {
			args[i] = []byte(word)
		}
		info, ok := command.Builtin().Lookup(args)
		if !ok {
			t.Fatalf("%q is not known", words)
		}
		return who.Access.Refuses(info, args) != nil
	}
	for _, test := range []struct {
		text              string
		get, ping, change bool
	}{
		{"", false, false, false},
		{"    keys: []\n", true, false, true},
		{"    keys:\n", true, false, false}, // as before
		{"    allow-command: []\n", true, true, true},
		{"    allow-command:\n", true, true, false},
		{"    allow-command: [ping]\n    deny-command: []\n", true, false, true},
		{"    deny-command: []\n", false, false, true},
	} {
		rewrite(t, path, start+test.text)
		if changed := c.Check(); changed != test.change {
			t.Errorf("%q: taken over %v, want %v", test.text, changed, test.change)
		}
		if get, ping := refuses("GET", "a"), refuses("PING"); get != test.get || ping != test.ping {
			t.Errorf("%q: GET is refused %v, PING %v, want %v and %v", test.text, get, ping, test.get, test.ping)
		}
	}
}

// admitted is a server with room for every batch.
func admitted(int64) error { return nil }

func TestLimits(t *testing.T) {
	token, line := NewToken()
	text := "identities:\n  - {name: a, tokens: [" + line + "], max-in-flight-batches: 2, max-in-flight-bytes: 1KiB}\n"
	c, path := mustOpen(t, text)
	identify := func() *Identity {
		t.Helper()
		who, err := c.Identify(withToken("Bearer " + token))
		if err != nil {
			t.Fatal(err)
		}
		return who
	}
	refused := func(err error, setting string) {
		t.Helper()
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Setting != setting || limit.Retry <= 0 {
			t.Errorf("%v, want %s", err, setting)
		}
	}
	who := identify()
	if err := who.Acquire(4096, admitted); err != nil {
		t.Errorf("a large batch alone: %v", err)
	}
	refused(who.Acquire(1, admitted), settingBytes)
	who.Release(4096)
	for range 2 {
		if err := who.Acquire(10, admitted); err != nil {
			t.Fatal(err)
		}
	}
	refused(who.Acquire(10, admitted), settingBatches)
	// What is in flight is remembered over a change of the file.
	rewrite(t, path, strings.Replace(text, "batches: 2", "batches: 3", 1))
	if !c.Check() {
		t.Fatal("the change is not noticed")
	}
	later := identify()
	if err := later.Acquire(10, admitted); err != nil {
		t.Error(err)
	}
	refused(later.Acquire(10, admitted), settingBatches)
	who.Release(10)
	if err := later.Acquire(10, admitted); err != nil {
		t.Error(err)
	}
	rewrite(t, path, "identities:\n  - {name: a, tokens: ["+line+"], max-batches-per-second: 5}\n")
	c.Check()
	var err error
	began := 0
	for ; began < 1000 && err == nil; began++ {
		err = later.Acquire(10, admitted)
	}
	refused(err, settingRate)
	if began < 6 {
		t.Errorf("%d batches at once, want at least a second's", began)
	}
	// A bad file changes nothing.
	rewrite(t, path, "identities: []")
	if c.Check() || identify() == nil {
		t.Error("a file without identities is taken")
	}
	if err := (*Identity)(nil).Acquire(1, admitted); err != nil {
		t.Error(err)
	}
	(*Identity)(nil).Release(1)
}

// TestRefusedElsewhere checks that batches for which the server has no room take nothing of their
// caller's limits: neither places nor its rate.
func TestRefusedElsewhere(t *testing.T) {
	const perSecond = 50
	who := &Identity{Name: "a", quota: &quota{}}
	who.quota.set(limits{batches: 100, bytes: 1 << 20, perSecond: perSecond})
	full := errors.New("full")
	for range 100 * perSecond {
		if err := who.Acquire(10, func(int64) error { return full }); !errors.Is(err, full) {
			t.Fatal(err)
		}
	}
	for i := range perSecond { // a second's batches are there still
		if err := who.Acquire(10, func(bytes int64) error {
			if bytes != 10 {
				t.Errorf("asked for %d bytes", bytes)
			}
			return nil
		}); err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
	}
	if q := who.quota; q.batches != perSecond || q.bytes != 10*perSecond {
		t.Errorf("%d batches, %d bytes", q.batches, q.bytes)
	}
	if err := (*Identity)(nil).Acquire(10, func(int64) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestTake(t *testing.T) {
	limiter, now := Rate(2), time.Now()
	for range 2 {
		if wait := Take(limiter, now); wait != 0 {
			t.Fatalf("wait %v", wait)
		}
	}
	for range 3 { // asking in vain takes nothing
		if wait := Take(limiter, now); wait <= 0 || wait > 500*time.Millisecond {
			t.Errorf("wait %v, want half a second", wait)
		}
	}
	if wait := Take(limiter, now.Add(time.Second)); wait != 0 {
		t.Errorf("wait %v after a second", wait)
	}
	if Rate(0) != nil || Take(nil, now) != 0 {
		t.Error("no limit is one")
	}
}

func FuzzFile(f *testing.F) {
	_, line := NewToken()
	f.Add("identities:\n  - {name: a, tokens: [" + line + "], keys: ['%R~a'], max-in-flight-bytes: 1KiB}")
	f.Add("identities: [{name: &a x, certificates: [*a]}]")
	f.Fuzz(func(_ *testing.T, text string) {
		c := &Callers{quotas: map[string]*quota{}}
		_, _ = c.parse("x", []byte(text))
	})
}

func BenchmarkIdentify(b *testing.B) {
	token, line := NewToken()
	c, _ := mustOpen(b, "identities:\n  - {name: a, tokens: ["+line+"]}\n")
	ctx := withToken("Bearer " + token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Identify(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
