package helm

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var buildStep = regexp.MustCompile(`(?s)RUN (CGO_ENABLED=0 .*?/cmd/server)\n`)

// TestImageVersion runs the Dockerfile's own build on what .dockerignore lets through, which has no
// repository, with the arguments that "make docker-build" gives it.
func TestImageVersion(t *testing.T) {
	dockerfile, err := os.ReadFile(root + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	step := buildStep.FindSubmatch(dockerfile)
	if step == nil {
		t.Fatal("the Dockerfile has no step that builds the server")
	}
	command := exec.Command("make", "--dry-run", "--no-print-directory", "docker-build", "VERSION=v1.2.3")
	command.Dir = root
	said, err := command.Output()
	if err != nil {
		t.Fatalf("make --dry-run docker-build: %v", err)
	}
	arguments := []string{"TARGETOS=", "TARGETARCH="}
	words := strings.Fields(string(said))
	for i, word := range words[1:] {
		if words[i] == "--build-arg" {
			arguments = append(arguments, word)
		}
	}

	context := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "cmd", "gen", "internal"} {
		if out, err := exec.Command("cp", "-r", filepath.Join(root, name), context).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	server := filepath.Join(t.TempDir(), "server")
	build := exec.Command("sh", "-ec", strings.ReplaceAll(string(step[1]), "/out/valkeybatch-server", server))
	build.Dir = context
	build.Env = append(os.Environ(), arguments...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	version, err := exec.Command(server, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	head := exec.Command("git", "rev-parse", "HEAD")
	head.Dir = root
	commit, err := head.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "v1.2.3 (commit " + strings.TrimSpace(string(commit)); !strings.HasPrefix(string(version), want) {
		t.Errorf("--version says %q, want it to begin with %q", version, want)
	}
}
