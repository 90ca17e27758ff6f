package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Ports are picked below the range that systems give to outgoing connections (32768 and up
// on Linux), so that no connection of anyone's takes one between the check and the server's
// own bind. A cluster node also listens on its port + 10000, which stays below it as well.
const (
	firstPort     = 12000
	portCount     = 10000
	busPortOffset = 10000
)

// reservation keeps a port from every other process that picks ports through this package,
// also while no server listens on it.
type reservation struct {
	port int
	lock *os.File
}

func (r *reservation) release() {
	if r != nil && r.lock != nil {
		_ = r.lock.Close() // closing gives up the lock
		r.lock = nil
	}
}

// PortError says that a server's port, or the cluster bus port that belongs to it, is not free.
type PortError struct {
	// Port is the one that is not.
	Port int
	// Err is why, and nil when another local cluster or test has reserved it.
	Err error
}

func (e *PortError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("port %d is in use by another local cluster or test", e.Port)
	}
	return fmt.Sprintf("port %d is not free: %v", e.Port, e.Err)
}

// Unwrap returns Err.
func (e *PortError) Unwrap() error { return e.Err }

// reservePort picks a port that is free together with its cluster bus port.
func reservePort() (*reservation, error) {
	var last error
	for range 200 {
		r, err := reserve(firstPort + rand.IntN(portCount))
		if err == nil {
			return r, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no free pair of ports found: %w", last)
}

func reserve(port int) (*reservation, error) {
	dir := filepath.Join(os.TempDir(), "valkeytest-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = &PortError{Port: port}
		}
		return nil, errors.Join(err, lock.Close())
	}
	for _, p := range []int{port, port + busPortOffset} {
		if p > 65535 {
			continue // no cluster node can run there, a standalone server can
		}
		if err := tryListen(p); err != nil {
			return nil, errors.Join(&PortError{Port: p, Err: err}, lock.Close())
		}
	}
	return &reservation{port: port, lock: lock}, nil
}

func tryListen(port int) error {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}
