package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallLanguages runs the script that installs what the examples need on machines that lack
// it, or have it in versions that are too old: all of them stubs in a PATH of its own.
func TestInstallLanguages(t *testing.T) {
	const apt = `case "$*" in *install*) echo "$@" >>"$RECORD";; esac`
	policy := func(version string) string { return "echo '  Candidate: " + version + "'" }
	for name, c := range map[string]struct {
		languages string
		programs  map[string]string
		says      string // what it fails with; empty: it succeeds
		installs  string
	}{
		"all there":   {"typescript", map[string]string{"node": "echo v20.1.0", "npm": "", "apt-get": apt}, "", ""},
		"node is old": {"typescript", map[string]string{"node": "echo v18.19.0", "npm": "", "apt-get": apt}, "needs Node.js 20.0 or newer", ""},
		"no apt-get":  {"java", nil, "not found: default-jdk-headless maven", ""},
		"only npm is missing": {"typescript", map[string]string{"node": "echo v22.1.0", "apt-get": apt, "apt-cache": policy("9.2.0~ds1-1")},
			"", "npm"},
		"rust is not in this Debian": {"rust", map[string]string{"cc": "", "apt-get": apt, "apt-cache": policy("1.63.0+dfsg1-2")},
			"needs Rust 1.88 or newer", ""},
		"rust is old": {"rust", map[string]string{"cc": "", "cargo": "echo 'cargo 1.85.0 (d73d2caf9 2024-12-31)'"}, "this is 1.85.0", ""},
		"rust is new": {"rust", map[string]string{"cc": "", "cargo": "echo 'cargo 1.88.0 (873a06493 2025-05-10)'"}, "", ""},
		"go alone":    {"go", nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bin, record := t.TempDir(), filepath.Join(t.TempDir(), "installed")
			for _, tool := range []string{"bash", "sh", "sort", "head", "grep", "awk", "env", "cat"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
					t.Fatal(err)
				}
			}
			programs := map[string]string{"id": "echo 0"}
			for program, text := range c.programs {
				programs[program] = text
			}
			for program, text := range programs {
				if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			script := exec.Command("bash", append([]string{"../../scripts/install-languages.sh"}, strings.Fields(c.languages)...)...)
			script.Env = []string{"PATH=" + bin, "RECORD=" + record}
			out, err := script.CombinedOutput()
			if (err != nil) != (c.says != "") || !strings.Contains(string(out), c.says) {
				t.Errorf("%v: %s: want %q", err, out, c.says)
			}
			installed, err := os.ReadFile(record)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			words := strings.Fields(string(installed))
			if got := strings.Join(words[min(3, len(words)):], " "); got != c.installs {
				t.Errorf("it installs %q, want %q", got, c.installs)
			}
		})
	}
}
