package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// The marks by which secrets and arguments are found where they should not be.
const (
	secretMark   = "SECRETMARK"
	argumentMark = "ARGMARK"
)

// TestNothingLeaks sends marked arguments down every path that ends in an error, with marked
// tokens and passwords about, and looks for the marks in the log at its lowest level; for the
// secrets in every status and answer too.
func TestNothingLeaks(t *testing.T) {
	valkey := valkeytest.StartServer(t)
	valkey.MustDo(t, "ACL", "SETUSER", "app", "on", ">"+secretMark+"-one", "+@all", "-incr", "~*", "&*")
	password := filepath.Join(t.TempDir(), "password")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(password, secretMark+"-one")
	path, token := authFile(t, `identities:
  - name: orders
    tokens: [TOKEN]
    deny-command: [append]
    keys: ["ok*"]
  - name: scripts
    tokens: [SCRIPTS]
  - name: free
    certificates: ["dns:free"]
`)
	scripts, line := auth.NewToken()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(path, strings.Replace(string(text), "SCRIPTS", line, 1))
	r := start(t, settings(t, "--valkey="+valkey.Addr(), "--valkey-username=app", "--valkey-password-file="+password,
		"--auth-file="+path, "--reload-interval=10ms", "--max-commands=3", "--max-reply-bytes=1KiB", "--max-arguments=20"))
	client := r.client(t)
	var seen []string
	note := func(err error, answer any) {
		seen = append(seen, fmt.Sprint(status.Convert(err).Proto(), answer))
	}
	mark, ok := argumentMark, "ok"+argumentMark
	run := func(authorization string, commands ...[]string) {
		for _, form := range []struct{ atomic, raise bool }{{}, {atomic: true}, {raise: true}, {atomic: true, raise: true}} {
			req := batch(commands...)
			req.Batch.IsAtomic, req.RaiseOnError = form.atomic, form.raise
			ctx := metadata.AppendToOutgoingContext(testContext(t), "authorization", authorization)
			answer, err := client.ExecuteBatch(ctx, req)
			note(err, answer)
			stream, err := client.StreamBatches(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_ = stream.Send(&valkeybatchv1.StreamBatchesRequest{Id: 1, Request: req})
			_ = stream.CloseSend()
			over, err := stream.Recv()
			note(err, over)
		}
	}
	known := "Bearer " + token
	run("Bearer "+secretMark, []string{"GET", ok})
	run(secretMark, []string{"GET", ok})
	run(known, []string{"SET", ok, mark}, []string{"LPOP", ok})                              // WRONGTYPE
	run(known, []string{"INCR", ok})                                                         // NOPERM of Valkey's
	run(known, []string{"SET", ok, mark, mark})                                              // a syntax error
	run(known, []string{"GET", mark})                                                        // another's key
	run(known, []string{"APPEND", ok, mark})                                                 // a command that is denied
	run(known, []string{"EVAL", mark, "1", ok})                                              // a script
	run(known, []string{"FLUSHALL", mark})                                                   // denied to everybody
	run(known, []string{"AUTH", mark, mark})                                                 // refused
	run(known, []string{mark, mark})                                                         // no command
	run(known, []string{"CONFIG", mark, mark})                                               // no subcommand
	run(known, []string{"GET"})                                                              // no key
	run(known, []string{"PING"}, []string{"PING"}, []string{"PING"}, []string{"ECHO", mark}) // too many
	run(known, append([]string{"DEL"}, strings.Split(strings.Repeat(ok+" ", 30), " ")...))   // too many arguments
	run(known, []string{"SET", ok, strings.Repeat(mark, 300)}, []string{"GET", ok})          // too long a reply
	run(known, []string{"XREADGROUP", "GROUP", mark, mark, "STREAMS", ok, mark})             // no group
	// Errors whose words the caller chooses, and with them what becomes of the batch.
	for _, code := range []string{"OOM", "CLUSTERDOWN", "LOADING", "TRYAGAIN", "READONLY", "BUSY", "ERR", "NOSCRIPT", "CONNECTION", "TIMEOUT", "REPLY", "MOVED 1"} {
		run("Bearer "+scripts, []string{"EVAL", "return redis.error_reply('" + code + " '..ARGV[1])", "0", mark})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	answer, err := client.ExecuteBatch(metadata.AppendToOutgoingContext(ctx, "authorization", known), batch([]string{"BLPOP", ok + "list", "5"}))
	note(err, answer)
	cancel()
	// Files that are broken, and a password that is refused.
	write(path, "identities:\n  - {name: orders, tokens: ["+secretMark+"]}\n")
	eventually(t, "the broken file is told of", func() bool { return strings.Contains(r.log.String(), "tokens[0]") })
	write(path, "identities:\n  - {name: orders, tokens: "+secretMark+"}\n")
	eventually(t, "the broken file is told of", func() bool { return strings.Contains(r.log.String(), "cannot unmarshal") })
	write(password, secretMark+"-two")
	valkey.MustDo(t, "ACL", "SETUSER", "app", "resetpass", ">"+secretMark+"-three")
	valkey.MustDo(t, "CLIENT", "KILL", "USER", "app")
	run(known, []string{"GET", ok})
	eventually(t, "the refusal is told of", func() bool { return strings.Contains(r.log.String(), "WRONGPASS") })

	if !slices.ContainsFunc(strings.Split(r.log.String(), "\n"), func(line string) bool {
		return strings.Contains(line, "level=WARN msg=\"finished call\"") && strings.Contains(line, "reason=COMMAND_FAILED")
	}) {
		t.Error("no failed command was logged as a warning")
	}
	if len(seen) < 100 {
		t.Errorf("%d answers were looked at", len(seen))
	}
	for _, text := range seen {
		if strings.Contains(text, secretMark) || strings.Contains(text, token) {
			t.Errorf("a secret is in an answer: %s", text)
		}
	}
	for _, line := range strings.Split(r.log.String(), "\n") {
		if strings.Contains(line, secretMark) || strings.Contains(line, token) || strings.Contains(strings.ToUpper(line), argumentMark) {
			t.Errorf("the log holds a secret or an argument: %s", line)
		}
	}
}

// TestHandshakeLeaksNothing checks the log of handshakes that fail.
func TestHandshakeLeaksNothing(t *testing.T) {
	files := certstest.NewAuthority(t).Write(t, t.TempDir(), certstest.Names{})
	r := start(t, settings(t, "--tls-cert="+files.Cert, "--tls-key="+files.Key))
	conn, err := net.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /" + secretMark + " HTTP/1.1\r\nAuthorization: Bearer " + secretMark + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the handshake fails", func() bool { return strings.Contains(r.log.String(), "handshake failed") })
	if strings.Contains(r.log.String(), secretMark) {
		t.Errorf("what a caller sent is in the log:\n%s", r.log)
	}
}
