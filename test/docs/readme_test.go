package docs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// documented is the address that the documents use.
const documented = "127.0.0.1:7400"

// servers says which of the documented ways to start a server a section's commands are for.
var servers = map[string]string{
	"Start":          "make run",
	"On a cluster":   "make cluster",
	"Atomic":         "make cluster",
	"raise_on_error": "make run",
	"Binary":         "make run",
	"Streams":        "make run",
}

// elsewhere are documented commands that something else runs: CI itself, or a test that
// needs more than this one.
var elsewhere = map[string]bool{
	"make run":  true, // this test starts it
	"make test": true, // CI runs it, and this test in it
}

func TestReadme(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := Blocks(string(readme))
	if err != nil {
		t.Fatal(err)
	}
	running := make(map[string]string) // address by way to start
	ran := 0
	for _, b := range blocks {
		switch b.Language {
		case "sh":
			for _, line := range strings.Split(strings.TrimSpace(b.Text), "\n") {
				command, _, _ := strings.Cut(line, "#")
				if command = strings.TrimSpace(command); !elsewhere[command] {
					t.Errorf("README.md:%d: nothing runs %q", b.Line, command)
				}
			}
		case "console":
			how, ok := servers[b.Heading]
			if !ok {
				t.Errorf("README.md:%d: this test does not know which server %q is about", b.Line, b.Heading)
				continue
			}
			if running[how] == "" {
				running[how] = Start(t, root, how)
			}
			ran += runBlock(t, root, b, running[how])
		case "text":
		default:
			t.Errorf("README.md:%d: this test does not know what to do with %q", b.Line, b.Language)
		}
	}
	if ran < 5 {
		t.Errorf("README.md shows %d commands with their output, want at least 5", ran)
	}
}

// runBlock runs a block's commands and compares what they print.
func runBlock(t *testing.T, root string, b Block, address string) int {
	t.Helper()
	steps, err := Steps(b.Text)
	if err != nil {
		t.Errorf("README.md:%d: %v", b.Line, err)
		return 0
	}
	for _, s := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		script := "grpcurl() { go tool -modfile=tools/go.mod grpcurl \"$@\"; }\n" + strings.ReplaceAll(s.Command, documented, address)
		run := exec.CommandContext(ctx, "bash", "-c", script)
		run.Dir = root
		out, err := run.CombinedOutput()
		// A raised error is what some commands show: grpcurl then ends with a status of its own.
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			t.Fatalf("README.md:%d: %v", b.Line, err)
		}
		if diff := cmp.Diff(Normalize(s.Output), Normalize(string(out))); diff != "" {
			t.Errorf("README.md:%d: %s(-documented +printed):\n%s", b.Line, s.Command, diff)
		}
	}
	return len(steps)
}
