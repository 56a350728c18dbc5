// Package child has what tests do to the processes that they start, beyond
// os/exec: no child outlives its test, and one that is frozen does nothing more.
package child

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Freeze stops the process with all that it holds (SIGSTOP), and returns once
// none of its threads runs any longer, or the process has ended.
func Freeze(p *os.Process) error {
	if err := Signal(p, syscall.SIGSTOP); err != nil {
		return err
	}
	return awaitStop(p.Pid)
}

// Thaw ends a Freeze (SIGCONT).
func Thaw(p *os.Process) error { return Signal(p, syscall.SIGCONT) }

// Signal sends to the process; that it has ended is no error.
func Signal(p *os.Process, sig syscall.Signal) error {
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to process %d: %w", sig, p.Pid, err)
	}
	return nil
}
