//go:build !linux

package local

import "syscall"

// ChildAttributes keeps a terminal's Ctrl-C from reaching the child directly. Only Linux
// can end a child with its parent; elsewhere a killed test leaves its servers behind.
func ChildAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
