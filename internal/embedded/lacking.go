package embedded

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/valkeybatch/valkeybatch/internal/command"
)

// subcommands are what miniredis has of the commands of which it has a part only.
var subcommands = map[string][]string{
	"CLIENT": {"getname", "setname"},
	"MEMORY": {"usage"},
	"OBJECT": {"idletime"},
	"PUBSUB": {"channels", "numpat", "numsub"},
	"SCRIPT": {"exists", "flush", "load"},
	"XGROUP": {"create", "createconsumer", "delconsumer", "destroy"},
	"XINFO":  {"consumers", "groups", "stream"},
}

// lacking answers commands that the store does not have, and reports whether it has done so.
// What Valkey has is told apart from what nobody has. The session is nil for commands that
// scripts call.
func (s *Store) lacking(peer *server.Peer, session *session, name string, args []string) bool {
	subcommand := []byte(nil)
	if len(args) > 0 {
		subcommand = []byte(args[0])
	}
	if s.server.IsRegisteredCommand(name) {
		has, partly := subcommands[name]
		if !partly || slices.Contains(has, strings.ToLower(string(subcommand))) {
			return false
		}
		info, known := command.Builtin().Lookup([][]byte{[]byte(name), subcommand})
		if !known || !strings.Contains(info.Name, " ") {
			return false // nobody has it, and miniredis words that as Valkey does
		}
		s.refuse(peer, session, unsupported(info.Name))
		return true
	}
	table := command.Builtin()
	if info, known := table.Lookup([][]byte{[]byte(name), subcommand}); known {
		s.refuse(peer, session, unsupported(info.Name))
	} else if info, known := table.Lookup([][]byte{[]byte(name)}); known {
		s.refuse(peer, session, unsupported(info.Name))
	} else {
		s.refuse(peer, session, unknownCommand(name, args))
	}
	return true
}

// unsupported is the refusal of a command that Valkey has and the store has not.
func unsupported(name string) string {
	return fmt.Sprintf("ERR %s is not supported by the embedded store; use a real Valkey (--valkey)", strings.ToUpper(name))
}

// unknownCommand words the refusal as Valkey does.
func unknownCommand(name string, args []string) string {
	const longest = 128
	clip := func(text string) string { return text[:min(len(text), longest)] }
	var b strings.Builder
	fmt.Fprintf(&b, "ERR unknown command '%s', with args beginning with: ", clip(strings.ToLower(name)))
	for _, arg := range args {
		if b.Len() > 2*longest {
			break
		}
		fmt.Fprintf(&b, "'%s' ", clip(arg))
	}
	return b.String()
}
