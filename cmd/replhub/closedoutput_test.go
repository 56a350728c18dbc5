package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// process is the command in a process of its own, with its output in a pipe.
type process struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	stderr bytes.Buffer
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self, args...)}
	p.cmd.Env = append(os.Environ(), asCommand+"=1")
	p.cmd.Stderr = &p.stderr
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// closeAfter reads the given number of lines, as head does, closes the pipe, and returns the
// exit code.
func (p *process) closeAfter(t *testing.T, lines int) int {
	t.Helper()
	scanner := bufio.NewScanner(p.out)
	for range lines {
		if !scanner.Scan() {
			t.Errorf("the output ended: %v", scanner.Err())
		}
	}
	if err := p.out.Close(); err != nil {
		t.Error(err)
	}
	late := time.AfterFunc(10*time.Second, func() {
		t.Error("it goes on though nobody reads what it says")
		_ = p.cmd.Process.Kill()
	})
	defer late.Stop()
	_ = p.cmd.Wait() // the exit code is returned
	return p.cmd.ProcessState.ExitCode()
}

func TestDemoEndsWithItsOutput(t *testing.T) {
	newBench(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	p := startProcess(t, "dev", "--demo", "--port", "0", "--http", "127.0.0.1:0")
	if code := p.closeAfter(t, 3); code != exitDone || p.stderr.Len() > 0 {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Nothing changes any more, so that watch has nothing to write.
func TestWatchEndsWithItsOutput(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.services", contract.Services{Services: []contract.LaneStatus{lane("sharing", 1, 1)}})
	go func() {
		for range b.asked {
		}
	}()
	t.Cleanup(func() { close(b.asked) })
	p := startProcess(t, "watch", "--interval", "50ms")
	if code := p.closeAfter(t, 1); code != exitDone || p.stderr.Len() > 0 {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
}

// A hub whose log nobody takes any more stops, and is not done: who supervises it
// has to start it again.
func TestServeFailsWithoutItsLog(t *testing.T) {
	b := newBench(t)
	clearEnvironment(t)
	t.Setenv(contract.EnvNATSURL, b.server.URL())
	t.Setenv(contract.EnvIngestMaxBytes, "64MiB")
	t.Setenv(contract.EnvDLQMaxBytes, "16MiB")
	p := startProcess(t, "serve")
	if code := p.closeAfter(t, 1); code != exitFailed || !strings.Contains(p.stderr.String(), "standard output is closed") {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
}

// Nothing can be asked of /dev/null, though it is a character device.
func TestPromptWithoutATerminal(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.drop.sharing", contract.Dropped{})
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, args := range []string{"drop sharing", "dlq rm --all"} {
		var stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(args), null, io.Discard, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), "give --yes") {
			t.Errorf("%s: exit %d: %s", args, code, stderr.String())
		}
	}
	if len(b.asked) > 0 {
		t.Error("the hub was asked all the same")
	}
}
