package deploy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// every is how often it is looked for new files. A server's file lives for as long as its
// process, or its time as one node's replica, and so for seconds at least.
const every = 50 * time.Millisecond

// records keeps the append-only files of all servers, also of those that throw theirs away: by
// hard links, which go on to grow with the file.
type records struct {
	dir  string
	dirs func() map[string]string // of the servers, by name
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	files map[uint64]file // by inode
	err   error
}

type file struct{ node, path string }

func record(dirs func() map[string]string) (*records, error) {
	dir, err := os.MkdirTemp("", "faults-records-")
	if err != nil {
		return nil, err
	}
	r := &records{dir: dir, dirs: dirs, stop: make(chan struct{}), files: make(map[uint64]file)}
	r.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			r.keep()
			select {
			case <-tick.C:
			case <-r.stop:
				return
			}
		}
	})
	return r, nil
}

// keep links what is new.
func (r *records) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for node, dir := range r.dirs() {
		found, _ := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
		for _, path := range found {
			if err := r.link(node, path); err != nil && !errors.Is(err, os.ErrNotExist) {
				r.err = errors.Join(r.err, err)
			}
		}
	}
}

func (r *records) link(node, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	inode := info.Sys().(*syscall.Stat_t).Ino
	if _, known := r.files[inode]; known {
		return nil
	}
	kept := filepath.Join(r.dir, strconv.FormatUint(inode, 10))
	if err := os.Link(path, kept); err != nil {
		return err
	}
	r.files[inode] = file{node: node, path: kept}
	return nil
}

// forget drops all files that are kept, of which the servers must have begun new ones.
func (r *records) forget() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for inode, f := range r.files {
		errs = append(errs, os.Remove(f.path))
		delete(r.files, inode)
	}
	return errors.Join(errs...)
}

func (r *records) close() error {
	close(r.stop)
	r.done.Wait()
	return os.RemoveAll(r.dir)
}

// Push is one RPUSH that a server executed, as it wrote it down.
type Push struct {
	Key, Element string
}

// Record is what one server executed, in order, while it was the same primary or replica.
// Pushes alone are of interest.
type Record struct {
	Node   string
	Pushes []Push
}

// Records returns everything that any server has executed so far, whether or not any of it is
// left.
func (d *Deployment) Records() ([]Record, error) {
	r := d.records
	r.keep()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, fmt.Errorf("keeping the servers' records: %w", r.err)
	}
	var all []Record
	for _, f := range r.files {
		pushes, err := read(f.path)
		if err != nil {
			return nil, fmt.Errorf("the record of %s: %w", f.node, err)
		}
		all = append(all, Record{Node: f.node, Pushes: pushes})
	}
	return all, nil
}

// read reads an append-only file: commands, in the form in which clients send them. A server that
// was killed may have left the last one unfinished.
func read(path string) ([]Push, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var pushes []Push
	br := bufio.NewReaderSize(f, 1<<20)
	for {
		args, err := readCommand(br)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return pushes, nil
		}
		if err != nil {
			return nil, err
		}
		if len(args) >= 3 && strings.EqualFold(args[0], "rpush") {
			for _, e := range args[2:] {
				pushes = append(pushes, Push{Key: args[1], Element: e})
			}
		}
	}
}

// maxElement is the longest argument that is of interest; longer ones are skipped.
const maxElement = 512

func readCommand(br *bufio.Reader) ([]string, error) {
	n, err := readHeader(br, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, 0, min(n, 16))
	for range n {
		size, err := readHeader(br, '$')
		if err != nil {
			return nil, err
		}
		if size > maxElement {
			if _, err := br.Discard(size + 2); err != nil {
				return nil, err
			}
			args = append(args, "")
			continue
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(br, b); err != nil {
			return nil, err
		}
		args = append(args, string(b[:size]))
	}
	return args, nil
}

func readHeader(br *bufio.Reader, kind byte) (int, error) {
	line, err := br.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || line[0] != kind {
		return 0, fmt.Errorf("%q is no header of the kind %q", line, kind)
	}
	n, err := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no header", line)
	}
	return n, nil
}
