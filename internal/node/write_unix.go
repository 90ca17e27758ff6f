//go:build unix

package node

import "syscall"

// writeOnce gives the buffer to the socket, as much as it takes at once.
func (o *output) writeOnce(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), o.buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
		case err != nil:
			o.err = err
		default:
			o.n = n
		}
		return true
	}
}
