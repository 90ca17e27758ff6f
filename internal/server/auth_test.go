package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// authFile writes a file of identities: the text, in which TOKEN stands for the token's line.
func authFile(t *testing.T, text string) (path, token string) {
	t.Helper()
	token, line := auth.NewToken()
	path = filepath.Join(t.TempDir(), "auth.yaml")
	rewriteAuth(t, path, strings.ReplaceAll(text, "TOKEN", line))
	return path, token
}

// rewriteAuth puts another file in the place of one at once.
func rewriteAuth(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// as is a call's context with a token; empty: without.
func as(t *testing.T, token string) context.Context {
	t.Helper()
	if token == "" {
		return testContext(t)
	}
	return metadata.AppendToOutgoingContext(testContext(t), "authorization", "Bearer "+token)
}

func TestUnknownCallers(t *testing.T) {
	path, token := authFile(t, "identities:\n  - {name: orders, tokens: [TOKEN]}\n")
	for _, open := range []string{"health", "reflection", "none", "health,reflection"} {
		r := start(t, settings(t, "--auth-file="+path, "--auth-open="+open))
		conn := dial(t, r.Addrs()[0])
		client := valkeybatchv1.NewBatchServiceClient(conn)
		if _, err := client.ExecuteBatch(as(t, token), batch([]string{"PING"})); err != nil {
			t.Errorf("with the token: %v", err)
		}
		for bad, cause := range map[string]string{"": auth.CauseNoCredentials, token + "x": auth.CauseUnknownToken} {
			_, err := client.ExecuteBatch(as(t, bad), batch([]string{"PING"}))
			if status.Code(err) != codes.Unauthenticated {
				t.Fatalf("with %q: %v", cause, err)
			}
			if info := infoOf(t, err); info.GetReason() != "UNAUTHENTICATED" || info.GetDomain() != "valkeybatch" || info.GetMetadata()["cause"] != cause {
				t.Errorf("%v", info)
			}
			stream, err := client.StreamBatches(as(t, bad))
			if err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.Unauthenticated {
				t.Errorf("a stream with %q: %v", cause, err)
			}
		}
		for _, service := range []struct {
			word string
			call func(ctx context.Context) error
		}{
			{"health", func(ctx context.Context) error {
				_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
				return err
			}},
			{"health", func(ctx context.Context) error {
				watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{})
				if err == nil {
					_, err = watch.Recv()
				}
				return err
			}},
			{"reflection", func(ctx context.Context) error {
				info, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
				if err == nil {
					err = errors.Join(info.Send(&reflectionpb.ServerReflectionRequest{
						MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{ListServices: "*"}}), info.CloseSend())
				}
				if err == nil {
					_, err = info.Recv()
				}
				return err
			}},
		} {
			if err := service.call(as(t, token)); err != nil {
				t.Errorf("%s with the token: %v", service.word, err)
			}
			err := service.call(as(t, ""))
			if isOpen := strings.Contains(open, service.word); isOpen && err != nil || !isOpen && status.Code(err) != codes.Unauthenticated {
				t.Errorf("open to anyone: %s; %s without a token: %v", open, service.word, err)
			}
		}
		eventually(t, "refusals are logged", func() bool {
			return strings.Contains(r.log.String(), auth.CauseUnknownToken) && strings.Contains(r.log.String(), "identity=orders")
		})
		if strings.Contains(r.log.String(), token) {
			t.Errorf("the token is in the log:\n%s", r.log)
		}
	}
}

func TestCallersByCertificate(t *testing.T) {
	authority := certstest.NewAuthority(t)
	files := authority.Write(t, t.TempDir(), certstest.Names{})
	path, token := authFile(t, `identities:
  - {name: orders, certificates: ["uri:spiffe://x.org/orders"], deny-command: [echo]}
  - {name: mail, certificates: ["email:mail@x.org", "dns:mail.x.org"], deny-command: [time]}
  - {name: token, tokens: [TOKEN], deny-command: [ping]}
`)
	r := start(t, settings(t, "--auth-file="+path, "--tls-cert="+files.Cert, "--tls-key="+files.Key,
		"--tls-client-ca="+files.CA, "--tls-client-auth=optional"))
	for _, test := range []struct {
		names  *certstest.Names
		token  string
		denied string // the command that this identity is denied; empty: it is not known
	}{
		{&certstest.Names{URI: "spiffe://x.org/orders"}, "", "ECHO"},
		{&certstest.Names{Email: "mail@x.org"}, "", "TIME"},
		{&certstest.Names{DNS: "mail.x.org"}, "", "TIME"},
		{&certstest.Names{URI: "spiffe://x.org/orders"}, token, "PING"},
		{nil, token, "PING"},
		{&certstest.Names{URI: "spiffe://x.org/others"}, "", ""},
		{&certstest.Names{URI: "spiffe://x.org/orders"}, token + "x", ""},
		{nil, "", ""},
	} {
		client := valkeybatchv1.NewBatchServiceClient(dialTLS(t, r.Addrs()[0], authority.Client(t, test.names)))
		for _, call := range [][]string{{"ECHO", "x"}, {"TIME"}, {"PING"}} {
			_, err := client.ExecuteBatch(as(t, test.token), batch(call))
			want := codes.OK
			switch test.denied {
			case "":
				want = codes.Unauthenticated
			case call[0]:
				want = codes.PermissionDenied
			}
			if status.Code(err) != want {
				t.Errorf("%+v: %s: %v, want %v", test, call[0], err, want)
			}
		}
	}
}

// TestDeniedBeforeAnythingIsSent checks what an identity may not do, and that the server has
// seen nothing of the batch.
func TestDeniedBeforeAnythingIsSent(t *testing.T) {
	valkey := valkeytest.StartServer(t)
	path, token := authFile(t, `identities:
  - name: orders
    tokens: [TOKEN]
    allow-command: ["@read", "@write", "@connection", "flushall"]
    deny-command: ["getdel"]
    keys: ["orders:*", "%R~shared:*"]
`)
	r := start(t, settings(t, "--valkey="+valkey.Addr(), "--auth-file="+path))
	client := r.client(t)
	run := func(raise, atomic bool, commands ...[]string) error {
		t.Helper()
		req := batch(commands...)
		req.Batch.IsAtomic, req.RaiseOnError = atomic, raise
		_, err := client.ExecuteBatch(as(t, token), req)
		return err
	}
	if err := run(true, false, []string{"SET", "orders:1", "x"}, []string{"GET", "shared:1"}, []string{"MGET", "orders:1", "shared:2"}); err != nil {
		t.Fatalf("what is allowed: %v", err)
	}
	before := valkey.CommandStats(t, "set")
	for _, test := range []struct {
		command []string
		code    codes.Code
		rule    string
	}{
		{[]string{"GET", "marker-others"}, codes.PermissionDenied, "keys"},
		{[]string{"SET", "shared:marker", "marker"}, codes.PermissionDenied, "keys"},
		{[]string{"GETDEL", "orders:1"}, codes.PermissionDenied, "deny getdel"},
		{[]string{"EVAL", "return 'marker'", "0"}, codes.PermissionDenied, "allow"},
		{[]string{"KEYS", "marker*"}, codes.PermissionDenied, "keys"}, // though it is of @read
		// The operator's policy is above the identity's.
		{[]string{"FLUSHALL"}, codes.InvalidArgument, ""},
		{[]string{"MULTI"}, codes.InvalidArgument, ""},
	} {
		for _, atomic := range []bool{false, true} {
			err := run(false, atomic, []string{"SET", "orders:1", "y"}, test.command)
			if status.Code(err) != test.code {
				t.Errorf("%q: %v, want %v", test.command, err, test.code)
				continue
			}
			if strings.Contains(fmt.Sprint(status.Convert(err).Proto()), "marker") {
				t.Errorf("%q: an argument is in %v", test.command, status.Convert(err).Proto())
			}
			if test.rule == "" {
				continue
			}
			info := infoOf(t, err)
			want := map[string]string{"identity": "orders", "index": "1", "command": strings.ToLower(test.command[0]), "rule": test.rule}
			if diff := cmp.Diff(want, info.GetMetadata()); diff != "" || info.GetReason() != "IDENTITY_DENIED" {
				t.Errorf("%q: %s %s", test.command, info.GetReason(), diff)
			}
		}
	}
	if after := valkey.CommandStats(t, "set"); after != before {
		t.Errorf("of batches that were refused %d commands were sent", after-before)
	}
	if strings.Contains(r.log.String(), "marker") || strings.Contains(r.log.String(), token) {
		t.Errorf("an argument or the token is in the log:\n%s", r.log)
	}
}

// TestIdentityLimits checks that one identity at its limits is told when to come back, and that
// others are not concerned.
func TestIdentityLimits(t *testing.T) {
	valkey := valkeytest.StartServer(t)
	path, token := authFile(t, `identities:
  - {name: slow, tokens: [TOKEN], max-in-flight-batches: 1}
`)
	other, line := auth.NewToken()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewriteAuth(t, path, string(text)+"  - {name: fast, tokens: ["+line+"], max-batches-per-second: 3}\n")
	r := start(t, settings(t, "--valkey="+valkey.Addr(), "--auth-file="+path))
	client := r.client(t)
	ctx, cancel := context.WithCancel(as(t, token))
	var waiting sync.WaitGroup
	waiting.Go(func() { _, _ = client.ExecuteBatch(ctx, batch([]string{"BLPOP", "nothing", "20"})) })
	defer waiting.Wait()
	defer cancel()
	eventually(t, "a batch is in flight", func() bool { n, _ := r.backend.service.InFlight(); return n == 1 })
	limited := func(err error, identity, setting string) {
		t.Helper()
		if status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("%v, want a limit", err)
		}
		if m := infoOf(t, err).GetMetadata(); m["identity"] != identity || m["setting"] != setting {
			t.Errorf("%v", m)
		}
		for _, d := range status.Convert(err).Details() {
			if info, ok := d.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
				return
			}
		}
		t.Errorf("no RetryInfo in %v", status.Convert(err).Proto())
	}
	_, err = client.ExecuteBatch(as(t, token), batch([]string{"PING"}))
	limited(err, "slow", "max-in-flight-batches")
	for err = nil; err == nil; {
		_, err = client.ExecuteBatch(as(t, other), batch([]string{"PING"}))
	}
	limited(err, "fast", "max-batches-per-second")
}

func TestServerRate(t *testing.T) {
	r := start(t, settings(t, "--max-batches-per-second=3"))
	client := r.client(t)
	var err error
	for err == nil {
		_, err = client.ExecuteBatch(testContext(t), batch([]string{"PING"}))
	}
	if m := infoOf(t, err).GetMetadata(); status.Code(err) != codes.ResourceExhausted || m["setting"] != "max-batches-per-second" || m["allowed"] != "3" {
		t.Errorf("%v", err)
	}
}

// TestTokensRotatedUnderLoad exchanges tokens as one does, the new one beside the old one first,
// under unary calls and a stream, and expects no failed batch; then that what was withdrawn is
// refused, on the stream that was opened with it too.
func TestTokensRotatedUnderLoad(t *testing.T) {
	path, first := authFile(t, "identities:\n  - {name: orders, tokens: [TOKEN]}\n")
	r := start(t, settings(t, "--reload-interval=10ms", "--auth-file="+path))
	client := r.client(t)
	var token atomic.Pointer[string]
	token.Store(&first)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var done atomic.Int64
	for range 3 {
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := client.ExecuteBatch(as(t, *token.Load()), batch([]string{"PING"})); err != nil {
					t.Errorf("%v", err)
				}
				done.Add(1)
			}
		})
	}
	defer load.Wait()
	defer stop()
	stream, err := client.StreamBatches(as(t, first))
	if err != nil {
		t.Fatal(err)
	}
	more := func() {
		n := done.Load()
		eventually(t, "batches go on", func() bool { return done.Load() > n+30 })
	}
	current, currentLine := first, auth.Hash(first)
	for range 4 {
		more()
		sendOn(t, stream, 1, batch([]string{"PING"}))
		if answer := receiveOn(t, stream); answer.GetError() != nil && current == first {
			t.Errorf("on the stream: %v", answer)
		}
		next, line := auth.NewToken()
		rewriteAuth(t, path, "identities:\n  - {name: orders, tokens: ["+currentLine+", "+line+"]}\n")
		eventually(t, "the new token is known", func() bool {
			_, err := client.ExecuteBatch(as(t, next), batch([]string{"PING"}))
			return err == nil
		})
		token.Store(&next)
		more() // nobody is left who uses the old one
		rewriteAuth(t, path, "identities:\n  - {name: orders, tokens: ["+line+"]}\n")
		eventually(t, "the old token is refused", func() bool {
			_, err := client.ExecuteBatch(as(t, current), batch([]string{"PING"}))
			return status.Code(err) == codes.Unauthenticated
		})
		current, currentLine = next, line
	}
	sendOn(t, stream, 2, batch([]string{"PING"}))
	if answer := receiveOn(t, stream); codes.Code(answer.GetError().GetCode()) != codes.Unauthenticated {
		t.Errorf("on the stream of a token that was withdrawn: %v", answer)
	}
	rewriteAuth(t, path, "identities:\n  - {name: orders, tokens: [nonsense]}\n")
	eventually(t, "the broken file is told of", func() bool { return strings.Contains(r.log.String(), "of no use") })
	more()
}
