package command

import (
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestMain(m *testing.M) { valkeytest.Main(m) }

// words makes a call of a line; a word of two quotes is empty.
func words(line string) [][]byte {
	var args [][]byte
	for _, word := range strings.Fields(line) {
		if word == `""` {
			word = ""
		}
		args = append(args, []byte(word))
	}
	return args
}

// lookup finds a command that has to be there.
func lookup(t testing.TB, table *Table, line string) *Info {
	t.Helper()
	c, ok := table.Lookup(words(line))
	if !ok {
		t.Fatalf("%q is not in the table", line)
	}
	return c
}

// serverRows are the commands of the server that all tests share.
func serverRows(t testing.TB) []meta.Row {
	t.Helper()
	rows, err := meta.ParseReply(valkeytest.SharedServer(t).MustDo(t, "COMMAND"))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
