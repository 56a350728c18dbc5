package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/child"
)

// stopTimeout bounds how long a process may take to end after SIGTERM.
const stopTimeout = 30 * time.Second

// process is one run of a server. Its output goes to a file.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has been waited for
}

// startProcess runs a command with its output appended to logPath.
func startProcess(logPath, path string, args ...string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = child.Attributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // a killed process is what tests ask for
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the process at once, stopped or not, and waits for it.
func (p *process) kill() error {
	if err := child.Signal(p.cmd.Process, syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// terminate asks the process to end and waits for it.
func (p *process) terminate() error {
	if err := child.Signal(p.cmd.Process, syscall.SIGTERM); err != nil {
		return err
	}
	late := time.NewTimer(stopTimeout)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
		return fmt.Errorf("process %d still runs %s after SIGTERM", p.cmd.Process.Pid, stopTimeout)
	}
}

// maxShownLog bounds, in bytes, what a failed test prints of a server's log.
const maxShownLog = 32 << 10

// showLog prints the end of a server's log if the test failed.
func showLog(tb testing.TB, name, path string) {
	if !tb.Failed() {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Logf("log of %s: %v", name, err)
		return
	}
	tb.Logf("log of %s:\n%s", name, text[max(0, len(text)-maxShownLog):])
}
