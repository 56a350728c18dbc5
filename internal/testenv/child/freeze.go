//go:build unix

package child

import "syscall"

// Freeze stops the process with all that it holds (SIGSTOP), and returns once
// none of its threads runs any longer, or the process has ended.
func (p *Process) Freeze() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return awaitStop(p.Pid())
}

// Thaw ends a Freeze (SIGCONT).
func (p *Process) Thaw() error { return p.Signal(syscall.SIGCONT) }
