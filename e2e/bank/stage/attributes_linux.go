package stage

import "syscall"

// dieWithParent has the kernel kill a process when the test binary dies without
// cleaning up, as it does at go test's timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
