package docs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// documented and documentedHTTP are the addresses that the documents use.
const (
	documented     = "127.0.0.1:7400"
	documentedHTTP = "127.0.0.1:7480"
)

// none is for commands that need no server.
const none = ""

// servers says, for each document, which of the documented ways to start a server the commands
// of a section are for.
var servers = map[string]map[string]string{
	"README.md": {
		"Start":          "make run",
		"On a cluster":   "make cluster",
		"Atomic":         "make cluster",
		"raise_on_error": "make run",
		"Binary":         "make run",
		"Streams":        "make run",
		"curl":           "make run",
	},
	"docs/http.md": {
		"JSON":                 "make run",
		"Errors":               "make run",
		"Browsers and scripts": "make run",
	},
	"docs/configuration.md": {
		"Configuration": none,
	},
	"docs/security.md": {
		"Make a token": none,
		"Callers":      "bin/valkeybatch-server --auth-file bin/example/auth.yaml",
		"Certificates": none,
		"TLS with callers": "bin/valkeybatch-server --auth-file bin/example/auth.yaml " +
			"--tls-cert bin/example/server.crt --tls-key bin/example/server.key --tls-client-ca bin/example/ca.crt",
	},
}

// elsewhere are documented commands that something else runs: CI itself, or a test that
// needs more than this one.
var elsewhere = map[string]bool{
	"make run":  true, // this test starts it
	"make test": true, // CI runs it, and this test in it
}

func TestDocuments(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	running := make(map[string]addresses) // by way to start
	for _, path := range append([]string{filepath.Join(root, "README.md")}, pages...) {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		ran := 0
		for _, b := range blocksOf(t, path) {
			where := fmt.Sprintf("%s:%d", name, b.Line)
			switch b.Language {
			case "sh":
				for _, line := range strings.Split(strings.TrimSpace(b.Text), "\n") {
					command, _, _ := strings.Cut(line, "#")
					if command = strings.TrimSpace(command); !elsewhere[command] {
						t.Errorf("%s: nothing runs %q", where, command)
					}
				}
			case "console":
				how, ok := servers[name][b.Heading]
				if !ok {
					t.Errorf("%s: this test does not know which server %q is about", where, b.Heading)
					continue
				}
				if how != none && running[how] == (addresses{}) {
					grpc, http := Start(t, root, how)
					running[how] = addresses{grpc, http}
				}
				ran += runBlock(t, root, where, b, running[how])
			case "text", "yaml", "json":
			default:
				t.Errorf("%s: this test does not know what to do with %q", where, b.Language)
			}
		}
		if ran < len(servers[name]) {
			t.Errorf("%s shows %d commands with their output, want at least one for each of %d sections", name, ran, len(servers[name]))
		}
	}
}

// addresses are where a server serves; empty: there is none.
type addresses struct{ grpc, http string }

func blocksOf(t *testing.T, path string) []Block {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := Blocks(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return blocks
}

// runBlock runs a block's commands and compares what they print.
func runBlock(t *testing.T, root, where string, b Block, at addresses) int {
	t.Helper()
	steps, err := Steps(b.Text)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return 0
	}
	for _, s := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		command := s.Command
		if at != (addresses{}) {
			command = strings.NewReplacer(documented, at.grpc, documentedHTTP, at.http).Replace(command)
		}
		run := exec.CommandContext(ctx, "bash", "-c", "grpcurl() { go tool -modfile=tools/go.mod grpcurl \"$@\"; }\n"+command)
		run.Dir = root
		out, err := run.CombinedOutput()
		// A raised error is what some commands show: grpcurl then ends with a status of its own.
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			t.Fatalf("%s: %v", where, err)
		}
		if diff := cmp.Diff(Normalize(s.Output), Normalize(string(out))); diff != "" {
			t.Errorf("%s: %s(-documented +printed):\n%s", where, s.Command, diff)
		}
	}
	return len(steps)
}
