package credential_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/credential"
)

func TestFixed(t *testing.T) {
	for _, p := range []*credential.Password{nil, credential.Fixed("")} {
		if _, ok := p.Alternative(""); p.Get() != "" || p.Check() || ok {
			t.Error("no password is one")
		}
	}
	p := credential.Fixed("x")
	if _, ok := p.Alternative("x"); p.Get() != "x" || p.Check() || ok {
		t.Error("a fixed password changes")
	}
}

func TestFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []string{"", "\n", strings.Repeat("x", 64<<10+1)} {
		write(bad)
		if _, err := credential.FromFile(path, slog.Default()); err == nil {
			t.Errorf("%d bytes are a password", len(bad))
		}
		if err := credential.CheckFile(path); err == nil {
			t.Errorf("%d bytes are a password", len(bad))
		}
	}
	write("one\r\n")
	p, err := credential.FromFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	alternative := func(refused, want string) {
		t.Helper()
		if got, ok := p.Alternative(refused); got != want || ok != (want != "") {
			t.Errorf("where %q is refused: %q, %v, want %q", refused, got, ok, want)
		}
	}
	alternative("one", "")
	write("two\n")
	if p.Get() != "one" {
		t.Error("the file is read with every connection")
	}
	alternative("one", "two") // the refusal has the file read
	if p.Get() != "two" {
		t.Errorf("%q, want what the file holds", p.Get())
	}
	alternative("two", "one") // a node that does not know the new one yet
	write("")
	if p.Check() || p.Get() != "two" {
		t.Error("an empty file is a password")
	}
	write("three")
	if !p.Check() || p.Get() != "three" {
		t.Errorf("%q, want what the file holds", p.Get())
	}
	alternative("three", "two")
}
