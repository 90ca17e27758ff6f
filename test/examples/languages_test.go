//go:build examples

package examples

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/test/docs"
)

// languages are the directories below examples/ and the programs that their READMEs need. Those
// that take long come first.
var languages = []struct {
	name     string
	programs []string
}{
	{"rust", []string{"cargo", "cc"}},
	{"java", []string{"mvn", "java", "javac"}},
	{"typescript", []string{"node", "npm"}},
	{"python", []string{"python3"}},
	{"go", []string{"go"}},
}

// patience bounds what the README of one language says, downloads included.
const patience = 15 * time.Minute

// TestLanguages does what the README of each language says, and compares what its program
// prints. The environment's LANGS chooses languages, all when it is empty.
func TestLanguages(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(root, "examples", "expected.txt"))
	if err != nil {
		t.Fatal(err)
	}
	checkShown(t, root, string(want))
	chosen := choose(t)
	address, _ := docs.Start(t, root, "make -s cluster")
	t.Run("each", func(t *testing.T) { // ends before the cluster does
		for _, language := range chosen {
			t.Run(language, func(t *testing.T) {
				t.Parallel()
				directory := filepath.Join(root, "examples", language)
				program, printed := follow(t, directory, startFront(t, address, nil))
				if diff := cmp.Diff(string(want), printed); diff != "" {
					t.Errorf("the program prints (-expected +printed):\n%s", diff)
				}
				for at := range 3 { // raised, refused, deadline
					for _, success := range []bool{true, false} {
						lie := &lie{success: success}
						lie.at.Store(int32(at + 1))
						if out, err := run(t, directory, program, startFront(t, address, lie)); err == nil {
							t.Errorf("failing call %d, success %v: the program takes no notice:\n%s", at+1, success, out)
						}
						if lie.at.Load() > 0 {
							t.Errorf("failing call %d, success %v: the lie was not told", at+1, success)
						}
					}
				}
			})
		}
	})
}

// checkShown checks that the examples' README shows what the programs print.
func checkShown(t *testing.T, root, want string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "examples", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := docs.Blocks(string(readme))
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != 1 || blocks[0].Text != want {
		t.Errorf("examples/README.md is to have one block, the text of expected.txt; it has %+v", blocks)
	}
}

// choose returns the languages to test, and fails when one is unknown or lacks its tools.
func choose(t *testing.T) []string {
	t.Helper()
	wanted := strings.Fields(os.Getenv("LANGS"))
	var all, chosen []string
	for _, l := range languages {
		all = append(all, l.name)
		if len(wanted) > 0 && !slices.Contains(wanted, l.name) {
			continue
		}
		chosen = append(chosen, l.name)
		for _, program := range l.programs {
			if _, err := exec.LookPath(program); err != nil {
				t.Errorf("the example in %s needs %q, which is not on this machine: install it, or choose others with LANGS='...'", l.name, program)
			}
		}
	}
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			t.Errorf("LANGS names %q; there are %s", name, strings.Join(all, ", "))
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return chosen
}

// follow runs the commands of the README in dir, one after the other, and returns the last one, the
// program, and what it prints.
func follow(t *testing.T, dir, address string) (program, printed string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := docs.Blocks(string(readme))
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != 1 || blocks[0].Language != "sh" {
		t.Fatalf("README.md is to have one block of commands, it has %d blocks", len(blocks))
	}
	for _, command := range strings.Split(strings.TrimSpace(blocks[0].Text), "\n") {
		begun := time.Now()
		program = command
		if printed, err = run(t, dir, command, address); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s (%v)", command, time.Since(begun).Round(100*time.Millisecond))
	}
	return program, printed
}

// run runs a command and all that it starts, and returns its standard output. The error says what
// it wrote.
func run(t *testing.T, dir, command, address string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	process := exec.CommandContext(ctx, "bash", "-c", command)
	process.Dir = dir
	process.Env = append(os.Environ(), "VALKEYBATCH_ADDRESS="+address)
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	process.Cancel = func() error { return syscall.Kill(-process.Process.Pid, syscall.SIGKILL) }
	process.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	process.Stdout, process.Stderr = &out, &errs
	if err := process.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", command, errors.Join(err, ctx.Err()), out.String(), errs.String())
	}
	return out.String(), nil
}
