package config

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// effective returns what --print-config prints.
func effective(t *testing.T, args ...string) string {
	t.Helper()
	command, err := Parse(append(args, "--print-config"), "v0", Streams{Out: new(bytes.Buffer), Err: new(bytes.Buffer),
		Exit: func(int) { t.Error("the process would have ended") }})
	if err != nil {
		t.Fatal(err)
	}
	return command.Effective
}

// TestEffectiveIsAFile checks that what is printed has the same effect when it is read.
func TestEffectiveIsAFile(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"--listen=127.0.0.1:1,unix:///run/x", "--allow-command=config|set,@dangerous", "--max-commands=11", "--valkey=a:1",
			"--availability-zone=a b: #c\nd\x01", "--max-request-bytes=1025", "--max-timeout=90m", "--log-level=warn"},
	} {
		path := write(t, "c.yaml", effective(t, args...))
		got := mustLoad(t, "--config="+path)
		got.File = ""
		if diff := cmp.Diff(mustLoad(t, args...), got); diff != "" {
			t.Errorf("%q: %s", args, diff)
		}
		if again := effective(t, "--config="+path); strings.Count(again, "# "+path) != len(Settings())-1 {
			t.Errorf("not every setting is from the file:\n%s", again)
		}
	}
}

func TestEffectiveSaysWhereFrom(t *testing.T) {
	path := write(t, "c.yaml", "max-commands: 1\nmax-redirects: 2\nmax-timeout: 3m\n")
	t.Setenv("VALKEYBATCH_MAX_REDIRECTS", "3")
	t.Setenv("VALKEYBATCH_MAX_TIMEOUT", "4m")
	got := effective(t, "--config="+path, "--max-timeout=5m")
	for _, line := range []string{
		"max-commands: 1 # " + path, "max-redirects: 3 # VALKEYBATCH_MAX_REDIRECTS",
		"max-timeout: 5m0s # command line", "log-level: info # default", "# Limits",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
}

// TestEffectiveHidesSecrets checks that a secret is not printed, wherever it is from.
func TestEffectiveHidesSecrets(t *testing.T) {
	const secret = "hush"
	file := write(t, "password", secret+"\n")
	for how, got := range map[string]string{
		"flag":          effective(t, "--valkey=a:1", "--valkey-password="+secret),
		"password file": effective(t, "--valkey=a:1", "--valkey-password-file="+file),
		"file":          effective(t, "--config="+write(t, "c.yaml", "valkey: a:1\nvalkey-password: "+secret+"\n")),
	} {
		if strings.Contains(got, secret) {
			t.Errorf("from a %s: the secret is printed:\n%s", how, got)
		}
		if how != "password file" && !strings.Contains(got, "# valkey-password: [redacted] # ") {
			t.Errorf("from a %s: it does not say that there is one:\n%s", how, got)
		}
	}
	if got := effective(t, "--valkey=a:1", "--valkey-password-file="+file); !strings.Contains(got, fmt.Sprintf("valkey-password-file: %s #", file)) {
		t.Errorf("the password's file is not printed:\n%s", got)
	}
}

// TestRanges checks that the tags of every range can be read: Check would fail otherwise.
func TestRanges(t *testing.T) {
	for _, s := range Settings() {
		if (s.Least == "") != (s.Most == "") {
			t.Errorf("%s: a range has two ends", s.Name)
		}
	}
	mustLoad(t)
}
