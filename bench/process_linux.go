package main

import "syscall"

// dieWithParent has the kernel kill the child should this process die without
// cleaning up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
