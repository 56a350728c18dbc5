//go:build unix && !linux

package stage

import "syscall"

// dieWithParent does nothing here: only Linux has the signal.
func dieWithParent() *syscall.SysProcAttr { return nil }
