//go:build !unix

package examples_test

import (
	"os"
	"os/exec"
)

// ownTerminal does nothing here.
func ownTerminal(*exec.Cmd) {}

// ctrlC interrupts the program alone.
func ctrlC(cmd *exec.Cmd) error { return cmd.Process.Signal(os.Interrupt) }
