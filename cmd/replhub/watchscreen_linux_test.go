package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// leaveScreen is what a terminal gets when a program gives it back.
const leaveScreen = "\x1b[?1049l"

// terminalRun is a command in a pseudo terminal.
type terminalRun struct {
	t    *testing.T
	cmd  *exec.Cmd
	ptmx *os.File
	read sync.WaitGroup

	mu   sync.Mutex // guards text
	text strings.Builder
	wide uint16
}

func inTerminal(t *testing.T, args ...string) *terminalRun {
	t.Helper()
	r := &terminalRun{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], args...), wide: 120}
	r.cmd.Env = append(os.Environ(), asCommand+"=1", "TERM=xterm-256color",
		"GORACE=exitcode=0 log_path=/dev/null") // the library closes its reader while that ends
	var err error
	if r.ptmx, err = pty.StartWithSize(r.cmd, &pty.Winsize{Rows: 24, Cols: r.wide}); err != nil {
		t.Fatal(err)
	}
	r.read.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := r.ptmx.Read(buf)
			r.mu.Lock()
			r.text.Write(buf[:n])
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it has mostly ended
		_ = r.cmd.Wait()
		r.ptmx.Close()
		r.read.Wait()
	})
	return r
}

func (r *terminalRun) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// await waits until the whole screen, drawn again for another width, has all texts.
func (r *terminalRun) await(texts ...string) {
	r.t.Helper()
	var seen string
	for began := time.Now(); time.Since(began) < 30*time.Second; {
		from := len(r.output())
		r.wide ^= 1
		if err := pty.Setsize(r.ptmx, &pty.Winsize{Rows: 24, Cols: r.wide}); err != nil {
			r.t.Fatal(err)
		}
		for drawn := time.Now(); time.Since(drawn) < 500*time.Millisecond; {
			seen = r.output()[from:]
			found := 0
			for _, text := range texts {
				if strings.Contains(seen, text) {
					found++
				}
			}
			if found == len(texts) {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	r.t.Fatalf("no %q on the screen:\n%q", texts, seen)
}

func (r *terminalRun) press(keys string) {
	r.t.Helper()
	if _, err := io.WriteString(r.ptmx, keys); err != nil {
		r.t.Fatal(err)
	}
}

// ends waits for the end, and checks that the terminal is as it was.
func (r *terminalRun) ends(code int, before *unix.Termios) {
	r.t.Helper()
	err := r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Errorf("exit %d, want %d: %v\n%s", got, code, err, r.output())
	}
	after, err := unix.IoctlGetTermios(int(r.ptmx.Fd()), unix.TCGETS)
	if err != nil {
		r.t.Fatal(err)
	}
	if *after != *before {
		r.t.Errorf("the terminal's settings are %+v, and were %+v", after, before)
	}
	for began := time.Now(); !strings.Contains(r.output(), leaveScreen); {
		if time.Since(began) > 5*time.Second {
			r.t.Fatalf("the screen is not given back: %q", r.output())
		}
		<-time.After(5 * time.Millisecond)
	}
}

// devProcess runs dev as a process of its own.
func devProcess(t *testing.T, port, dir string) (kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "dev", "--port", port, "--http", "127.0.0.1:0", "--store-dir", dir)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	out := newScreen()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		}
	}
	t.Cleanup(kill)
	out.await(t, "or with this program")
	return kill
}

// The screen goes on while the hub is killed and comes back, and gives the terminal back.
func TestWatchOnATerminal(t *testing.T) {
	b := newBench(t)
	clearEnvironment(t)
	port := portOf(t, b.server.URL())
	b.server.Stop() // its port is free
	dir := t.TempDir()
	kill := devProcess(t, port, dir)
	server := "nats://127.0.0.1:" + port
	if o := execute(t.Context(), "", "register", "sharing", "user", "--server", server); o.code != exitDone {
		t.Fatal(o.stderr)
	}
	r := inTerminal(t, "watch", "--interval", "50ms", "--server", server)
	before := settingsOfANewTerminal(t)
	r.await("1 services, 0 in trouble", "sharing")
	r.press("\r")
	r.await("stream", "SUB_sharing", "ENTITY")
	r.press("\x1b")
	r.await("sorted by trouble")
	kill()
	r.await("looking again", "sharing")
	devProcess(t, port, dir)
	r.await("1 services, 0 in trouble")
	r.press("q")
	r.ends(exitDone, before)

	r = inTerminal(t, "watch", "--interval", "50ms", "--server", server)
	r.await("1 services")
	if err := r.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.ends(exitDone, before)
}

// settingsOfANewTerminal are those that a program finds.
func settingsOfANewTerminal(t *testing.T) *unix.Termios {
	t.Helper()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ptmx.Close()
	defer tty.Close()
	settings, err := unix.IoctlGetTermios(int(ptmx.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(fmt.Errorf("read the settings: %w", err))
	}
	return settings
}
