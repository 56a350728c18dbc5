package sqltest

import "syscall"

// dieWithParent has the kernel kill the server when the test binary dies
// without cleaning up, as it does at go test's timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
