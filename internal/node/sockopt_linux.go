package node

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h, which package syscall does not name.
const tcpUserTimeout = 0x12

// giveUpAfter is how long the kernel goes on resending what a node does not take in. Without it
// a connection cut off by the network would hold up its node for a quarter of an hour.
const giveUpAfter = 30 * time.Second

// dialControl prepares a socket before it connects. A kernel that does not know the option
// does without.
func dialControl(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(giveUpAfter.Milliseconds()))
	})
}
