package embedded

import (
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/command"
)

// TestLackingCommands goes through all of Valkey's commands and checks that none is answered
// as if there were no such command: neither alone, nor in a script.
func TestLackingCommands(t *testing.T) {
	s := newStore(t)
	c := dial(t, s)
	for _, info := range command.Builtin().All() {
		if _, refused := info.Refused(); refused {
			continue // no caller can send it
		}
		words := strings.Fields(strings.ToUpper(info.Name))
		got := c.do(words...)
		if strings.Contains(got, "unknown command") || strings.Contains(got, "unknown subcommand '") || strings.Contains(got, "not supported") && !strings.Contains(got, "not supported by the embedded store") &&
			!strings.Contains(got, "cluster support disabled") {
			t.Errorf("%s: %q", info.Name, got)
		}
	}
	const lacks = " is not supported by the embedded store; use a real Valkey (--valkey)"
	for name, args := range map[string][]string{
		"CONFIG GET":      {"config", "get", "*"},
		"CONFIG":          {"CONFIG", "NOSUCH"},
		"ACL WHOAMI":      {"ACL", "WHOAMI"},
		"FUNCTION LOAD":   {"FUNCTION", "LOAD", "x"},
		"LOLWUT":          {"LOLWUT"},
		"OBJECT ENCODING": {"OBJECT", "ENCODING", "k"},
		"CLIENT ID":       {"CLIENT", "ID"},
		"COMMAND":         {"COMMAND"},
	} {
		c.expect("-ERR "+name+lacks+"\r\n", args...)
	}
	for want, args := range map[string][]string{
		"-ERR unknown command 'nosuch'":    {"NOSUCH"},
		"-ERR unknown subcommand 'nosuch'": {"OBJECT", "NOSUCH"},
		"+OK":                              {"SCRIPT", "FLUSH"},
		"_":                                {"CLIENT", "GETNAME"},
	} {
		if got := c.do(args...); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
	if got := c.do("EVAL", "return redis.call('CONFIG', 'GET', '*')", "0"); !strings.Contains(got, "CONFIG GET"+lacks) {
		t.Errorf("in a script: %q", got)
	}
	c.expect("+OK\r\n", "MULTI")
	c.expect("-ERR LOLWUT"+lacks+"\r\n", "LOLWUT")
	if got := c.do("EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
		t.Errorf("EXEC: %q", got)
	}
}
