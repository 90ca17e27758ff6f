// Package reload keeps what is made of files, such as certificates and tokens, and makes it anew
// when the files change.
//
// Files are read again and compared by what they hold, not by their times: Kubernetes exchanges
// the directory behind a mounted secret, and other file systems have times that cannot be trusted.
package reload

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 16 << 20

// Files are what a set of files holds, by path.
type Files map[string][]byte

// Value is what was made of a set of files. It is safe for concurrent use.
type Value[T any] struct {
	what   string
	paths  []string
	load   func(Files) (T, error)
	logger *slog.Logger

	current atomic.Pointer[T]

	mu     sync.Mutex
	seen   [sha256.Size]byte // of the files that the value is of
	failed string            // why the last reading was of no use; empty if it was
}

// New reads the files and makes a value of them. The value must be right at first; later, what
// load refuses is logged under the name what, and the value stays as it was. load's errors must
// hold no secrets.
func New[T any](what string, paths []string, load func(Files) (T, error), logger *slog.Logger) (*Value[T], error) {
	v := &Value[T]{what: what, load: load, logger: logger}
	for _, path := range paths {
		if path != "" {
			v.paths = append(v.paths, path)
		}
	}
	if _, err := v.read(); err != nil {
		return nil, err
	}
	return v, nil
}

// Load returns the value as it is now.
func (v *Value[T]) Load() T { return *v.current.Load() }

// Check reads the files and reports whether there is a new value by now. What is wrong with
// them is logged once, and again when it changes.
func (v *Value[T]) Check() (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	changed, err := v.read()
	switch {
	case err != nil && err.Error() != v.failed:
		v.failed = err.Error()
		v.logger.Error("changed files are of no use: what they held before stays in force", "files", v.what, "error", err)
	case err == nil && changed:
		v.failed = ""
		v.logger.Info("read changed files", "files", v.what)
	case err == nil && v.failed != "":
		v.failed = ""
		v.logger.Info("the files are as they were before", "files", v.what)
	}
	return err == nil && changed
}

// read makes a new value if the files are not those that the value is of.
func (v *Value[T]) read() (changed bool, err error) {
	files := make(Files, len(v.paths))
	hash := sha256.New()
	for _, path := range v.paths {
		data, err := readFile(path)
		if err != nil {
			return false, err
		}
		files[path] = data
		sum := sha256.Sum256(data)
		hash.Write(sum[:])
	}
	var seen [sha256.Size]byte
	hash.Sum(seen[:0])
	if v.current.Load() != nil && bytes.Equal(seen[:], v.seen[:]) {
		return false, nil
	}
	value, err := v.load(files)
	if err != nil {
		return false, err
	}
	v.seen = seen
	v.current.Store(&value)
	return true, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: the file is over the limit of %d bytes", path, maxFile)
	}
	return data, nil
}
