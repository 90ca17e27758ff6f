//go:build unix

package embedded

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// pair returns the two ends of a connection that has no name: a socket pair, buffered by the
// kernel, that no other process can reach.
func pair() (client, served net.Conn, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("embedded: socketpair: %w", err)
	}
	if client, err = fileConn(fds[0]); err != nil {
		return nil, nil, errorsWithClose(err, fds[1])
	}
	if served, err = fileConn(fds[1]); err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return client, served, nil
}

// fileConn turns a descriptor into a connection. The descriptor is its own afterwards.
func fileConn(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "embedded")
	defer file.Close() // FileConn keeps a duplicate
	return net.FileConn(file)
}

// errorsWithClose closes the descriptor that has no owner yet.
func errorsWithClose(err error, fd int) error {
	_ = syscall.Close(fd)
	return err
}
