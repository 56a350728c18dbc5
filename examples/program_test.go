package examples_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(sqltest.Main(m), goleak.Cleanup(func(code int) {
		if dir, err := programs(); err == nil {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// programs builds those that the tests start, once, and returns their folder.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "examples-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "./run", "./publisher", "./subscriber", "./user-profile", "./application")
	cmd.Env = environment()
	if said, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return string(said), err
	}
	return dir, nil
})

func environment(more ...string) []string {
	return append(append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" "+buildFlags)), more...)
}

// stopTime is how long a program may take to stop.
const stopTime = 30 * time.Second

// program is one that runs until the test ends, or stop is called.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	said output
	done chan struct{}
	err  error // after done
}

// start starts a program in a folder.
func start(t *testing.T, dir, name string, env []string, args ...string) *program {
	t.Helper()
	folder, err := programs()
	if err != nil {
		t.Fatalf("build the programs: %v\n%s", err, folder)
	}
	p := &program{t: t, cmd: exec.Command(filepath.Join(folder, name), args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, environment(env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.WaitDelay = 5 * time.Second
	ownTerminal(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		// Not killed at once: what it has started would be left behind.
		_ = p.cmd.Process.Signal(os.Interrupt)
		select {
		case <-p.done:
		case <-time.After(stopTime):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.said.String())
		}
	})
	return p
}

// awaits waits until the program has said something.
func (p *program) awaits(words string) {
	p.t.Helper()
	replhubtest.Await(p.t, "the program to say "+words, func() error {
		select {
		case <-p.done:
			p.t.Fatalf("%s ended by itself", filepath.Base(p.cmd.Path))
		default:
		}
		if !strings.Contains(p.said.String(), words) {
			return errors.New("not yet")
		}
		return nil
	}, replhubtest.Within(2*time.Minute))
}

// stop does what Ctrl-C does, and checks that the program ends in order.
func (p *program) stop() {
	p.t.Helper()
	if err := ctrlC(p.cmd); err != nil {
		p.t.Errorf("interrupt %s: %v", filepath.Base(p.cmd.Path), err)
	}
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("%s: %v", filepath.Base(p.cmd.Path), p.err)
		}
	case <-time.After(stopTime):
		p.t.Fatalf("%s did not stop", filepath.Base(p.cmd.Path))
	}
}

// output collects what a program says.
type output struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

// String is what was said so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}
