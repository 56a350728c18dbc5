package stage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/bank/audit"
	"github.com/replhub/replhub/internal/child"
)

const (
	// endWithin bounds a process's end after SIGTERM.
	endWithin = 20 * time.Second
	// maxShownLog bounds, in bytes, what a failed test prints of a log.
	maxShownLog = 16 << 10
)

// post is one place in the bank, at which one process works after the other.
type post struct {
	tb   testing.TB
	name string
	// args are those of a process under a name.
	args   func(name string) []string
	binary string
	dir    string

	cmd  *exec.Cmd
	done chan struct{} // closed once the process has been waited for
	// back is when the post is to be taken up again; zero while it is.
	back time.Time
	// frozen is since when the process is stopped; 0 when it is not.
	frozen int64
	runs   []run
}

// run is one process that was at a post.
type run struct {
	name string
	// gone is when it was known to have ended; 0 before.
	gone int64
}

// current is the process at the post, or the last that was.
func (p *post) current() *run { return &p.runs[len(p.runs)-1] }

// start has a new process take the post.
func (p *post) start() {
	p.tb.Helper()
	name := fmt.Sprintf("%s-%d", p.name, len(p.runs)+1)
	log, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.tb.Fatalf("start %s: %v", name, err)
	}
	defer log.Close() // the child has its own descriptor
	p.cmd = exec.Command(p.binary, p.args(name)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = child.Attributes()
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatalf("start %s: %v", name, err)
	}
	p.runs = append(p.runs, run{name: name})
	p.back = time.Time{}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait() // a killed process is what the scenario asks for
	}(p.cmd, p.done)
}

func (p *post) logPath() string { return filepath.Join(p.dir, p.name+".log") }

// running reports whether the process is there, frozen or not.
func (p *post) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the process at once, frozen or not.
func (p *post) kill() {
	p.tb.Helper()
	if p.current().gone != 0 {
		return
	}
	p.must(child.Signal(p.cmd.Process, syscall.SIGKILL))
	<-p.done
	p.current().gone = time.Now().UnixNano()
}

// freeze stops the process with all that it holds.
func (p *post) freeze() {
	p.tb.Helper()
	p.must(child.Freeze(p.cmd.Process))
	p.frozen = time.Now().UnixNano()
}

// thaw ends a freeze.
func (p *post) thaw() audit.Freeze {
	p.tb.Helper()
	p.must(child.Thaw(p.cmd.Process))
	f := audit.Freeze{Instance: p.current().name, From: p.frozen, To: time.Now().UnixNano()}
	p.frozen, p.back = 0, time.Time{}
	return f
}

// retire asks the process to end, for await to wait for.
func (p *post) retire() {
	p.tb.Helper()
	p.must(child.Signal(p.cmd.Process, syscall.SIGTERM))
}

// await insists that the process ends.
func (p *post) await() {
	p.tb.Helper()
	late := time.NewTimer(endWithin)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
		p.tb.Errorf("%s still runs %s after SIGTERM", p.current().name, endWithin)
		p.kill()
		return
	}
	p.current().gone = time.Now().UnixNano()
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
		return // it had only just begun
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		// One that was told to end while it connected says so; what it did is the
		// audit's matter.
		p.tb.Logf("%s ended with code %d after SIGTERM", p.current().name, code)
	}
}

func (p *post) must(err error) {
	p.tb.Helper()
	if err != nil {
		p.tb.Fatalf("%s: %v", p.current().name, err)
	}
}

// cleanup ends the process and, when the test failed, shows what it wrote.
func (p *post) cleanup() {
	if len(p.runs) == 0 {
		return
	}
	p.kill()
	if !p.tb.Failed() {
		return
	}
	text, err := os.ReadFile(p.logPath())
	if err != nil {
		p.tb.Logf("log of %s: %v", p.name, err)
		return
	}
	p.tb.Logf("log of %s:\n%s", p.name, strings.ToValidUTF8(string(text[max(0, len(text)-maxShownLog):]), ""))
}
