package command

import (
	_ "embed" // for the committed tables
	"sync"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
)

// commandsText is what a real server says of its commands; go generate writes it.
//
//go:embed commands.txt
var commandsText string

// supplementText is what that server does not know: commands of newer servers and of
// modules, each with its source.
//
//go:embed supplement.txt
var supplementText string

// Builtin returns the table that is compiled in: the generated one with the supplement
// under it. It is made on first use and shared.
func Builtin() *Table { return builtin() }

var builtin = sync.OnceValue(func() *Table {
	t := &Table{}
	for _, text := range []string{supplementText, commandsText} {
		// The texts are compiled in and a test reads them: there is no error to come from them.
		rows, _ := meta.ParseText(text)
		t = t.With(infosOf(rows))
	}
	return t
})
