package local

import "syscall"

// ChildAttributes ends the child with its parent, however the parent ends, and keeps a
// terminal's Ctrl-C from reaching it directly: whoever started it decides when it ends.
func ChildAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
