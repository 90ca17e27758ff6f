package isolation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/servertest"
)

// known is a command that the server lists: its words, and how many arguments it takes at least,
// with its words.
type known struct {
	words []string
	least int
}

// catalog asks the deployment for its commands and subcommands, through the service.
func catalog(t *testing.T, s *servertest.Server) (all []known) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := s.Client.ExecuteBatch(ctx, atomicBatch(text("COMMAND")))
	if err != nil {
		t.Fatal(err)
	}
	add := func(info *valkeybatchv1.Value) []*valkeybatchv1.Value {
		fields := info.GetArrayValue().GetElements()
		if len(fields) < 10 {
			t.Fatalf("COMMAND describes a command as %.200v", info)
		}
		arity := int(fields[1].GetIntegerValue())
		all = append(all, known{strings.Split(fields[0].GetStringValue(), "|"), max(arity, -arity)})
		return fields[9].GetArrayValue().GetElements()
	}
	for _, info := range resp.GetResults()[0].GetArrayValue().GetElements() {
		for _, sub := range add(info) {
			add(sub)
		}
	}
	if len(all) < 300 {
		t.Fatalf("the server lists %d commands and subcommands", len(all))
	}
	return all
}

// sweptKeys are the keys that the sweep plays with; canaries use none of them.
var sweptKeys = []string{"swept:s", "swept:n", "swept:l", "swept:h", "swept:z", "swept:st", "swept:set", "swept:none", "{swept}:a", "{swept}:b"}

// likely are arguments that mean something to some command.
var likely = []string{
	"1", "0", "-1", "2", "100", "3.5", "field", "value", "*", "$", "+", "-", ">", "0-0", "(1", "[a", "inf", "nan",
	"BLOCK", "STREAMS", "COUNT", "GET", "SET", "NX", "XX", "EX", "PX", "LIMIT", "BY", "WITHSCORES", "LEFT", "RIGHT", "MIN", "MAX",
	"BEFORE", "AFTER", "STORE", "GROUP", "CREATE", "MKSTREAM", "ASYNC", "KEYS", "WEIGHTS", "AND", "km", "m", "ON", "OFF", "SKIP", "YES", "NO",
	"return 1", "return redis.call('get','swept:s')", "help", "10", "0.01",
}

// odd are arguments that mean nothing, or something else than they seem to.
var odd = []string{
	"", " ", "\x00", "\r\n", "*1\r\n$4\r\nPING\r\n", "\xff\xfe\x00\x01", "9223372036854775807", "-9223372036854775808", "18446744073709551616",
	"1e308", "BLOCK\x00", "STREAMS\x00", "{", "}", "{}", "%s%n", strings.Repeat("A", 3000), "MOVED 1 127.0.0.1:1", "+OK", "-ERR", ":1", "$-1", "*-1",
}

// arguments makes n arguments.
func arguments(r *rand.Rand, n int, plausible bool) []string {
	words := make([]string, n)
	for i := range words {
		switch pick := r.IntN(10); {
		case plausible && i == 0 && pick < 8, plausible && pick < 2:
			words[i] = sweptKeys[r.IntN(len(sweptKeys))]
		case plausible || pick < 4:
			words[i] = likely[r.IntN(len(likely))]
		default:
			words[i] = odd[r.IntN(len(odd))]
		}
	}
	return words
}

// recased writes a word in upper, lower or mixed case.
func recased(r *rand.Rand, s string) string {
	switch r.IntN(3) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	}
	return strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
}

// call makes a call of a command with n arguments behind its words.
func (k known) call(r *rand.Rand, n int, plausible bool) *command {
	var words []string
	for _, w := range k.words {
		words = append(words, recased(r, w))
	}
	words = append(words, arguments(r, n, plausible)...)
	if r.IntN(3) > 0 {
		return cmd(words...)
	}
	for i, w := range words { // a string field holds valid UTF-8 only
		words[i] = strings.ToValidUTF8(w, "?")
	}
	return text(words...)
}

// calls makes the calls of one command that the sweep sends: without arguments, with each number
// of them up to a few more than it needs, likely and odd.
func (k known) calls(r *rand.Rand, rounds int) (out []*command) {
	need := max(0, k.least-len(k.words))
	for range rounds {
		for n := range need + 4 {
			out = append(out, k.call(r, n, true), k.call(r, n, false))
		}
	}
	return append(out, k.call(r, 12, true), k.call(r, 40, false))
}

func (k known) String() string { return fmt.Sprint(strings.Join(k.words, " ")) }
