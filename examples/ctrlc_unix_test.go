//go:build unix

package examples_test

import (
	"os/exec"
	"syscall"
)

// ownTerminal has a program be the first of a group, as a shell does.
func ownTerminal(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// ctrlC does what a terminal does: all of the group are interrupted.
func ctrlC(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
