//go:build unix && !linux

package sqltest

import "syscall"

// dieWithParent does nothing here: only Linux has the signal.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
