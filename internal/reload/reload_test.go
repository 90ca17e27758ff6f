package reload_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/reload"
)

// text makes a value of one file; "bad" is none.
func text(path string) func(reload.Files) (string, error) {
	return func(files reload.Files) (string, error) {
		if string(files[path]) == "bad" {
			return "", errors.New("it is bad")
		}
		return string(files[path]), nil
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if _, err := reload.New("tokens", []string{path}, text(path), logger); err == nil {
		t.Fatal("a file that is missing is no error")
	}
	write(t, path, "bad")
	if _, err := reload.New("tokens", []string{path}, text(path), logger); err == nil {
		t.Fatal("a bad file is no error")
	}
	write(t, path, "one")
	v, err := reload.New("tokens", []string{path, ""}, text(path), logger)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		holds, want string // holds empty: the file is removed
		changed     bool
		logs        string // exactly one line with it, or none if empty
	}{
		{"one", "one", false, ""},
		{"two", "two", true, "read changed files"},
		{"bad", "two", false, "it is bad"},
		{"bad", "two", false, ""},
		{"", "two", false, "no such file"},
		{"", "two", false, ""},
		{"two", "two", false, "as they were before"},
		{"bad", "two", false, "it is bad"},
		{"three", "three", true, "read changed files"},
	} {
		if step.holds == "" {
			_ = os.Remove(path)
		} else {
			write(t, path, step.holds)
		}
		log.Reset()
		if changed := v.Check(); changed != step.changed || v.Load() != step.want {
			t.Errorf("%+v: changed %v, value %q", step, changed, v.Load())
		}
		lines := strings.Count(log.String(), "\n")
		if step.logs == "" && lines != 0 || step.logs != "" && (lines != 1 || !strings.Contains(log.String(), step.logs)) {
			t.Errorf("%+v: log %q", step, log.String())
		}
	}
}

func TestFileTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "")
	if err := os.Truncate(path, 16<<20+1); err != nil {
		t.Fatal(err)
	}
	if _, err := reload.New("tokens", []string{path}, text(path), slog.Default()); err == nil || !strings.Contains(err.Error(), "16777216") {
		t.Errorf("%v, want the limit", err)
	}
}

func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "one")
	v, err := reload.New("tokens", []string{path}, text(path), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { reload.Watch(ctx, time.Millisecond, v) })
	watching.Go(func() { reload.Watch(ctx, time.Millisecond) })
	defer watching.Wait()
	defer cancel()
	write(t, path+".new", "two")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); v.Load() != "two"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the change is not noticed")
		}
	}
}
