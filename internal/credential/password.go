// Package credential holds the password that connections to Valkey authenticate with, and
// exchanges it while they are made.
package credential

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/reload"
)

// maxPassword is the longest password that is read from a file, in bytes.
const maxPassword = 64 << 10

// overlap is how long the password before the current one is still tried where that is refused:
// a file may be changed before all nodes know the new password.
const overlap = 10 * time.Minute

// Password is a password that may change. It is safe for concurrent use. A nil *Password is none.
type Password struct {
	fixed string
	file  *reload.Value[string]

	mu       sync.Mutex
	current  string
	previous string
	changed  time.Time
}

// Fixed returns a password that does not change, and nil for an empty one.
func Fixed(password string) *Password {
	if password == "" {
		return nil
	}
	return &Password{fixed: password}
}

// FromFile returns the password that a file holds, without the line end at its end. The file is
// read again by Check, and when a node refuses the password.
func FromFile(path string, logger *slog.Logger) (*Password, error) {
	file, err := reload.New("password for Valkey", []string{path}, func(files reload.Files) (string, error) {
		return parse(path, files[path])
	}, logger)
	if err != nil {
		return nil, err
	}
	return &Password{file: file, current: file.Load()}, nil
}

// CheckFile reports what is wrong with a file that is to hold a password.
func CheckFile(path string) error {
	data, err := os.ReadFile(path)
	if err == nil {
		_, err = parse(path, data)
	}
	return err
}

func parse(path string, data []byte) (string, error) {
	if len(data) > maxPassword {
		return "", fmt.Errorf("%s: %d bytes are over the limit of %d", path, len(data), maxPassword)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return password, nil
}

// Get returns the password as it is now, and "" for none.
func (p *Password) Get() string {
	switch {
	case p == nil:
		return ""
	case p.file == nil:
		return p.fixed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take()
	return p.current
}

// take takes over what the file holds.
func (p *Password) take() {
	if now := p.file.Load(); now != p.current {
		p.previous, p.current, p.changed = p.current, now, time.Now()
	}
}

// Check implements [reload.Checker].
func (p *Password) Check() bool {
	if p == nil || p.file == nil {
		return false
	}
	return p.file.Check()
}

// Alternative returns what to try where a node refuses a password that Get returned: what the
// file holds by now or, if that is what was refused, what it held before it was changed a short
// while ago. It is false if there is neither.
func (p *Password) Alternative(refused string) (string, bool) {
	if p == nil || p.file == nil {
		return "", false
	}
	p.file.Check()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take()
	if p.current != refused {
		return p.current, true
	}
	return p.previous, p.previous != "" && time.Since(p.changed) < overlap
}

// Refused reports whether a node's error to a greeting says that the password is not the right one.
func Refused(text string) bool {
	return strings.HasPrefix(text, "WRONGPASS ") || strings.HasPrefix(text, "NOAUTH ")
}
