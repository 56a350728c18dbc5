//go:build unix

package programs

import (
	"os/exec"
	"syscall"
)

// OwnGroup keeps the terminal's Ctrl-C from a program: it goes to all processes of a group
// at once, and would stop the hub before the programs that work with it.
func OwnGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}
