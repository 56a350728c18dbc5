// Package child runs a binary beside the test or the measurement that needs it:
// its output goes to a file, it does not outlive who started it, it ends in good
// order or at once, and while it is frozen it does nothing.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// askEvery is the time between two questions of Await.
	askEvery = 5 * time.Millisecond
	// shownLog bounds, in bytes, what an error tells of a log.
	shownLog = 8 << 10
)

// Process is one run of a binary. Its methods may be called concurrently.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed once the process has been waited for
}

// Start starts a command, its output appended to the file at log.
func Start(cmd *exec.Cmd, log string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the child has its own descriptor
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = Attributes()
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // State says how it ended; a killed one is what is often asked for
	}()
	return p, nil
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the process is there, frozen or not.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// State is how the process ended, once Done is closed.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Await asks for a condition, again and again, until it holds. Its error, when
// ctx or the process ends before, has the end of the log with it.
func (p *Process) Await(ctx context.Context, what string, ready func(context.Context) error) error {
	again := time.NewTicker(askEvery)
	defer again.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%w):\n%s", what, ctx.Err(), err, p.Tail(shownLog))
		case <-p.done:
			return fmt.Errorf("wait for %s: the process ended (%s; %w):\n%s", what, p.State(), err, p.Tail(shownLog))
		}
	}
}

// EndsWithin waits for the end of the process, and reports whether it came in
// time.
func (p *Process) EndsWithin(within time.Duration) bool {
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-p.done:
		return true
	case <-late.C:
		return false
	}
}

// Signal sends to the process; that it has ended is no error.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to process %d: %w", sig, p.Pid(), err)
	}
	return nil
}

// Kill ends the process at once, frozen or not, and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(os.Kill); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop sends a signal that asks the process to end, and waits for that. One
// that has not ended in time is killed, which is an error.
func (p *Process) Stop(sig os.Signal, within time.Duration) error {
	if err := p.Signal(sig); err != nil {
		return err
	}
	if p.EndsWithin(within) {
		return nil
	}
	return errors.Join(fmt.Errorf("process %d still runs %s after %s", p.Pid(), within, sig), p.Kill())
}

// Terminate is Stop by SIGTERM.
func (p *Process) Terminate(within time.Duration) error { return p.Stop(syscall.SIGTERM, within) }

// Tail is the end of the log, at most n bytes of it, or why it cannot be
// read.
func (p *Process) Tail(most int) string { return Tail(p.log, most) }

// Tail is the end of a log, also of one without a process.
func Tail(log string, most int) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
