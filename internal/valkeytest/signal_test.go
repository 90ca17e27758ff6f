package valkeytest

import "syscall"

// nilSignal asks whether a process is there and does nothing to it.
const nilSignal = syscall.Signal(0)
