package child_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/child"
)

// start runs a script of the shell's until the test ends.
func start(t *testing.T, script string) (p *child.Process, log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "log")
	p, err := child.Start(exec.Command("sh", "-c", script), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p, log
}

// A frozen process takes no step between the return of Freeze and Thaw.
func TestFreeze(t *testing.T) {
	p, log := start(t, "while :; do echo; done")
	taken := func() int64 {
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for range 50 {
		if err := p.Freeze(); err != nil {
			t.Fatal(err)
		}
		before := taken()
		<-time.After(time.Millisecond)
		if after := taken(); after != before {
			t.Fatalf("%d steps while frozen", after-before)
		}
		if err := p.Thaw(); err != nil {
			t.Fatal(err)
		}
		for taken() == before {
			<-time.After(time.Millisecond)
		}
	}
	if err := p.Freeze(); err != nil { // and Kill ends a frozen one
		t.Fatal(err)
	}
}

// What is done to a process that has ended is no error, and waits for nothing.
func TestProcessThatHasEnded(t *testing.T) {
	p, _ := start(t, "exit 3")
	<-p.Done()
	if p.Running() || p.State().ExitCode() != 3 {
		t.Errorf("running %v, %s", p.Running(), p.State())
	}
	if err := errors.Join(p.Freeze(), p.Thaw(), p.Terminate(time.Minute), p.Kill()); err != nil {
		t.Error(err)
	}
}

// One that heeds no signal is killed, and that is an error.
func TestTerminateIsBounded(t *testing.T) {
	p, _ := start(t, "trap '' TERM; echo ready; while :; do sleep 0.01; done")
	err := p.Await(t.Context(), "the trap", func(context.Context) error {
		if p.Tail(100) == "" {
			return errors.New("nothing yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Terminate(50 * time.Millisecond); err == nil || p.Running() {
		t.Errorf("error %v, running %v", err, p.Running())
	}
}

// Who waits in vain learns why, from the end of the log as well.
func TestAwait(t *testing.T) {
	never := func(context.Context) error { return errors.New("not yet") }
	p, _ := start(t, "echo out of order; exit 1")
	err := p.Await(t.Context(), "it", never)
	if err == nil || !strings.Contains(err.Error(), "out of order") || !strings.Contains(err.Error(), "not yet") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("error %v", err)
	}
	p, _ = start(t, "sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Await(ctx, "it", never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
