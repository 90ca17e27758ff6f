package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// blockedClients is how many clients wait in a server for data.
func blockedClients(t testing.TB, node *valkeytest.Server) int {
	t.Helper()
	return figure("n="+node.Info(t, "clients", "blocked_clients"), "n")
}

// A server takes "BLOCK\x00" for BLOCK, and lets "STREAMS" be a consumer. A call that waits
// holds up nobody else, however it is written.
func TestBypass_WaitingUnderAnotherName(t *testing.T) {
	v := valkeytest.StartServer(t)
	v.MustDo(t, "XGROUP", "CREATE", "st", "g", "$", "MKSTREAM")
	s := serve(t, []string{v.Addr()})
	for i, call := range [][]string{
		{"XREAD", "BLOCK\x00", "0", "STREAMS", "st", "$"},
		{"XREAD", "COUNT", "1", "bLoCk\x00STREAMS", "0", "STREAMS\x00", "st", "$"},
		{"XREADGROUP", "GROUP\x00", "g", "c", "BLOCK\x00", "0", "STREAMS", "st", ">"},
		{"XREADGROUP", "GROUP\x00", "g", "STREAMS", "BLOCK", "0", "STREAMS", "st", ">"},
		{"XREADGROUP", "GROUP", "g", "STREAMS", "BLOCK", "0", "STREAMS", "st", ">"},
	} {
		v.MustDo(t, "XGROUP", "SETID", "st", "g", "$")
		answered := make(chan string, 1)
		go func() {
			answer, err := s.send(pipeline(cmd(call...)).within(false, patience/2))
			if err != nil {
				answered <- describe(err)
				return
			}
			answered <- render(answer.GetResults()[0])
		}()
		valkeytest.Eventually(t, "a blocked client", func() error {
			if n := blockedClients(t, v); n != 1 {
				return fmt.Errorf("%d clients wait", n)
			}
			return nil
		})
		for range 20 {
			s.want(t, pipeline(cmd("SET", "a", "1"), cmd("GET", "a")).within(false, patience/6), "OK", `"1"`)
			s.want(t, atomicBatch(cmd("GET", "a")).within(false, patience/6), `"1"`)
		}
		if n := blockedClients(t, v); n != 1 {
			t.Errorf("%q: %d clients wait, while the others were served", call, n)
		}
		v.MustDo(t, "XADD", "st", fmt.Sprintf("%d-0", i+1), "f", "v")
		if got := <-answered; !strings.Contains(got, fmt.Sprintf(`%d-0`, i+1)) {
			t.Errorf("%q answered %s", call, got)
		}
	}
}

// A server finds "debug\x00x" to be SCRIPT DEBUG if their hashes share a bucket. None of
// these is sent, and so none is carried out, past what is refused and what is denied.
func TestBypass_NamesWithMoreBytes(t *testing.T) {
	flags := []string{
		"--allow-command", "config,function,script,acl,cluster,client|kill,debug",
		"--deny-command", "config|set,function|flush,script|flush,acl|setuser,flushall,cluster|reset,keys",
		"--topology-refresh", "1h",
	}
	ownMatrix(t, "SC", flags, func(t *testing.T, e *env) {
		w := watchEnv(t, e)
		for _, line := range []string{
			"SCRIPT debug yes", "SCRIPT flush", "FUNCTION flush", "CONFIG set maxmemory 1234567", "ACL setuser intruder on",
			"CLUSTER reset hard", "OBJECT freq k", "XGROUP destroy k g",
		} {
			words := strings.Fields(line)
			container := words[0]
			var commands []*valkeybatchv1.Command
			for i := range 300 {
				for _, suffix := range []string{fmt.Sprintf("\x00%d", i), strings.Repeat("\x00", i+1), fmt.Sprintf("\xff%d", i), fmt.Sprintf(" %d", i)} {
					words[1] = strings.Fields(line)[1] + suffix
					commands = append(commands, cmd(words...))
				}
			}
			for i, v := range e.must(t, pipeline(commands...)) {
				wantError(t, v, "ERR", notExecuted, "")
				if text := v.GetErrorValue().GetMessage(); !strings.HasPrefix(text, "ERR unknown subcommand '") || !strings.HasSuffix(text, "'. Try "+container+" HELP.") {
					t.Fatalf("%s: %q answered %q", line, commands[i], text)
				}
			}
			f := failureOf(func() error { _, err := e.send(atomicBatch(commands[0])); return err }())
			if f.metadata["transaction"] != "EXECABORT" {
				t.Errorf("%s, atomic: %v", line, f)
			}
		}
		for _, line := range []string{"FLUSHALL", "KEYS *", "MULTI", "MONITOR", "GET k", "\u212aEYS *", "K\u017fEYS *", "CONFIG|SET maxmemory 1", "SCRIPT|DEBUG yes"} {
			words := strings.Fields(line)
			var commands []*valkeybatchv1.Command
			for i := range 300 {
				words[0] = strings.Fields(line)[0] + fmt.Sprintf("\x00%d", i)
				commands = append(commands, cmd(words...))
			}
			if strings.ContainsAny(line, "|\u212a\u017f") {
				commands = []*valkeybatchv1.Command{cmd(strings.Fields(line)...)}
			}
			for i, v := range e.must(t, pipeline(commands...)) {
				if text := v.GetErrorValue().GetMessage(); !strings.HasPrefix(text, "ERR unknown command '") {
					t.Fatalf("%q answered %q, %q", commands[i], text, render(v))
				}
			}
		}
		// All of CLIENT that is not known to be harmless is refused.
		for _, sub := range []string{"reply\x00", "nosuch", "", "tracking\x00x"} {
			checkRefused(t, e, "P alone", []string{"CLIENT", sub, "on"}, pipeline(cmd("CLIENT", sub, "on")))
		}
		w.nothingSent(t)
		e.want(t, e.routed(pipeline(cmd("SCRIPT", "EXISTS", "x"), cmd("EVAL", "return 1", "0"), cmd("CONFIG", "GET", "maxmemory"))), "[0]", "1", `{"maxmemory": "0"}`)
	})
}

// A container is a command too, by its name alone. A subcommand that it does not have is
// asked about once, and is the server's own error in the server's words.
func TestBypass_UnknownSubcommands(t *testing.T) {
	matrix(t, "SC", "P", func(t *testing.T, e *env) {
		e.want(t, e.routed(pipeline(cmd("OBJECT", "NoSuch", "k"), cmd("SCRIPT", "nosuch"), cmd("SCRIPT"), cmd("MEMORY", "USAGE", e.k("none")))),
			"!ERR unknown subcommand 'nosuch'. Try OBJECT HELP.", "!ERR unknown subcommand 'nosuch'. Try SCRIPT HELP.",
			"!ERR wrong number of arguments for 'script' command", "nil")
		if v := e.must(t, e.routed(pipeline(cmd("COMMAND"))))[0]; len(v.GetArrayValue().GetElements()) < 200 {
			t.Errorf("COMMAND answers %.200s", render(v))
		}
	})
}

// Subcommands of a newer server, whose table as a whole cannot be read, are learned when they
// are called; what is refused or denied of their container holds for them too.
func TestBypass_NewSubcommandsAreLearned(t *testing.T) {
	v := valkeytest.StartScripted(t, func(_ int, args []string) []byte {
		switch line := strings.ToUpper(strings.Join(args, " ")); {
		case line == "COMMAND INFO SCRIPT|SHOUT":
			return []byte("*1\r\n*10\r\n$12\r\nscript|shout\r\n:-3\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n")
		case strings.HasPrefix(line, "COMMAND INFO "):
			return []byte("*1\r\n*-1\r\n")
		case strings.HasPrefix(line, "SCRIPT SHOUT "):
			return []byte("+" + strings.ToUpper(args[2]) + "\r\n")
		}
		return standaloneAnswer(args)
	})
	s := serve(t, []string{v.Addr()})
	for range 3 {
		s.want(t, pipeline(cmd("Script", "SHOUT", "hello"), cmd("SCRIPT", "shout\x00", "x"), cmd("SCRIPT", "whisper", "x")),
			"HELLO", "!ERR unknown subcommand 'shout\x00'. Try SCRIPT HELP.", "!ERR unknown subcommand 'whisper'. Try SCRIPT HELP.")
		for line, reason := range map[string]string{"CLIENT SHOUT x": "COMMAND_REFUSED", "CLUSTER SHOUT": "COMMAND_DENIED"} {
			if f := s.fail(t, pipeline(cmd(strings.Fields(line)...)), codes.InvalidArgument); f.reason != reason {
				t.Errorf("%s: %s, %s, want %s", line, f.reason, f.message, reason)
			}
		}
	}
	questions := map[string]int{}
	for _, r := range v.Received() {
		if line := strings.ToLower(strings.Join(r.Args, " ")); strings.HasPrefix(line, "command info ") {
			questions[line]++
		}
	}
	if diff := cmp.Diff(map[string]int{"command info script|shout": 1, "command info script|whisper": 1}, questions); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

// Names that nobody knows cost a bounded number of questions, and nobody has to wait for them.
func TestBypass_ManyUnknownNames(t *testing.T) {
	ownMatrix(t, "S", []string{"--max-commands", "100000"}, func(t *testing.T, e *env) {
		before := trafficOf(t, e.server).commands["command|info"]
		begun := time.Now()
		var commands []*valkeybatchv1.Command
		for i := range 30_000 {
			commands = append(commands, cmd(fmt.Sprintf("nosuch%d", i)))
		}
		for _, v := range e.must(t, pipeline(commands...).within(false, patience/2)) {
			wantError(t, v, "ERR", notExecuted, "")
		}
		// 32 a second, and as many at once.
		most := 32 * (2 + int(time.Since(begun)/time.Second))
		if n := trafficOf(t, e.server).commands["command|info"] - before; n == 0 || n > most {
			t.Errorf("the server was asked %d times, want at most %d", n, most)
		}
		e.want(t, e.batch(cmd("SET", e.k("s"), "v"), cmd("GET", e.k("s"))), "OK", `"v"`)
	})
}

// Keys are where the server routes by, in calls that are fit to confuse.
func TestBypass_KeysThatLookLikeOptions(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		st, geo, dst := e.k("st"), e.k("geo"), e.k("dst")
		e.want(t, e.batch(
			cmd("XGROUP", "CREATE", st, "g", "$", "MKSTREAM"),
			cmd("XADD", st, "1-0", "f", "v"),
			cmd("XREADGROUP", "NOACK", "GROUP\x00", "g", "STREAMS", "STREAMS\x00", st, ">"),
			cmd("XLEN", st),
			cmd("GEOADD", geo, "13", "38", "m"),
			// Of several destinations the last one counts, wherever the others are.
			cmd("GEORADIUS", geo, "13", "38", "100", "km", "STORE", "elsewhere"+e.k(""), "STOREDIST\x00", dst),
			cmd("GEORADIUSBYMEMBER", geo, "m", "100", "km", "STORE", "elsewhere", "STORE", dst),
			cmd("SORT", dst, "BY", "nosort", "STORE\x00", dst+"2"),
			cmd("ZUNION", "+1", dst),
		), "OK", `"1-0"`, fmt.Sprintf(`{%q: [["1-0" ["f" "v"]]]}`, st), "1", "1", "1", "1", "1", "!ERR value is not an integer or out of range")
	})
}
