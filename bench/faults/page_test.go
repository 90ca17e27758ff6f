package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/run"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

func TestPageIsWrittenBetweenItsLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	r := &run.Report{Name: "kill", Subject: "GLIDE Go", Commands: 7, Violations: []check.Violation{{Rule: check.Lost}}}
	if err := write(path, nil, 1, time.Second); err == nil {
		t.Error("a page that is not there is no error")
	}
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(path, nil, 1, time.Second); err == nil {
		t.Error("a page without the lines is no error")
	}
	if err := os.WriteFile(path, []byte("before\n"+begin+"\nold\n"+end+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := write(path, []*run.Report{r}, 5, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "before\n"+begin) || !strings.HasSuffix(got, end+"\nafter\n") || strings.Contains(got, "old") ||
		!strings.Contains(got, "| kill | GLIDE Go | 7 | 0 | 0 | 1 | 0 |") || !strings.Contains(got, "Seed 5") {
		t.Errorf("the page is\n%s", got)
	}
}

func TestComparedScenariosAreThere(t *testing.T) {
	for _, name := range compared {
		if _, ok := run.Scenarios[name]; !ok {
			t.Errorf("there is no scenario %q", name)
		}
	}
}

func TestGlideErrors(t *testing.T) {
	for text, want := range map[string]subject.Error{
		"An error was signalled by the server: - TryAgain: Multiple keys": {Code: "TRYAGAIN", Outcome: subject.NotExecuted},
		"READONLY You can't write":                                        {Code: "READONLY", Outcome: subject.NotExecuted},
		"UNBLOCKED force unblock":                                         {Code: "UNBLOCKED", Outcome: subject.Failed},
		"received fatal error":                                            {Code: "CONNECTION", Outcome: subject.Unknown},
	} {
		want.Message = text
		if got := commandError(text); *got != want {
			t.Errorf("%q: %+v, want %+v", text, *got, want)
		}
	}
	if f := failure(errors.New("no")); f.Outcome != subject.Unknown || f.Late {
		t.Errorf("%+v", f)
	}
	if f := failure(errors.New("CLUSTERDOWN")); f.Outcome != subject.NotExecuted {
		t.Errorf("%+v", f)
	}
}
