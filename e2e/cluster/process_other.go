//go:build unix && !linux

package cluster

import "syscall"

// dieWithParent does nothing here: only Linux has the signal.
func dieWithParent() *syscall.SysProcAttr { return nil }
