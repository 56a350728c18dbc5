package stage

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/bank/audit"
	"github.com/replhub/replhub/internal/testenv/child"
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

	process *child.Process
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
	process, err := child.Start(exec.Command(p.binary, p.args(name)...), p.logPath())
	if err != nil {
		p.tb.Fatalf("start %s: %v", name, err)
	}
	p.process = process
	p.runs = append(p.runs, run{name: name})
	p.back = time.Time{}
}

func (p *post) logPath() string { return filepath.Join(p.dir, p.name+".log") }

// running reports whether the process is there, frozen or not.
func (p *post) running() bool { return p.process.Running() }

// kill ends the process at once, frozen or not.
func (p *post) kill() {
	p.tb.Helper()
	if p.current().gone != 0 {
		return
	}
	p.must(p.process.Kill())
	p.current().gone = time.Now().UnixNano()
}

// freeze stops the process with all that it holds.
func (p *post) freeze() {
	p.tb.Helper()
	p.must(p.process.Freeze())
	p.frozen = time.Now().UnixNano()
}

// thaw ends a freeze.
func (p *post) thaw() audit.Freeze {
	p.tb.Helper()
	p.must(p.process.Thaw())
	f := audit.Freeze{Instance: p.current().name, From: p.frozen, To: time.Now().UnixNano()}
	p.frozen, p.back = 0, time.Time{}
	return f
}

// retire asks the process to end, for await to wait for.
func (p *post) retire() {
	p.tb.Helper()
	p.must(p.process.Signal(syscall.SIGTERM))
}

// await insists that the process ends.
func (p *post) await() {
	p.tb.Helper()
	if !p.process.EndsWithin(endWithin) {
		p.tb.Errorf("%s still runs %s after SIGTERM", p.current().name, endWithin)
		p.kill()
		return
	}
	p.current().gone = time.Now().UnixNano()
	status, ok := p.process.State().Sys().(syscall.WaitStatus)
	if ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
		return // it had only just begun
	}
	if code := p.process.State().ExitCode(); code != 0 {
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
	p.tb.Logf("log of %s:\n%s", p.name, strings.ToValidUTF8(child.Tail(p.logPath(), maxShownLog), ""))
}
