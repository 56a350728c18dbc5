package sqltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/replhub/replhub/internal/child"
)

// process is a server's process, in a folder of its own.
type process struct {
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has been waited for
}

// makeDir makes a temporary folder that belongs to the account which the
// server will run as. Its path is short enough for a unix socket in it.
func makeDir(run *account) (string, error) {
	dir, err := os.MkdirTemp("", "sqltest-")
	if err != nil {
		return "", err
	}
	if run != nil {
		err = os.Chown(dir, int(run.uid), int(run.gid))
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// account is whom a server runs as; nil is the tests' own user.
type account struct{ uid, gid uint32 }

// unprivileged picks an account for a server: the first of the names that this
// machine knows, when the tests run as root.
func unprivileged(names ...string) (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range append(names, "nobody") {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &account{uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("no user among %v to run a database server as: it refuses root", names)
}

// command is a command in dir under the account.
func command(ctx context.Context, run *account, dir, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // starting servers is what this package is for
	cmd.Dir = dir
	cmd.SysProcAttr = child.Attributes()
	if run != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: run.uid, Gid: run.gid}
		cmd.Env = append(os.Environ(), "HOME="+dir)
	}
	return cmd
}

// runCommand runs a command to its end; its error tells what it printed.
func runCommand(cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, out.Bytes())
	}
	return nil
}

// startProcess starts a server; its output goes to a file in dir.
func startProcess(run *account, dir, path string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	cmd := command(context.Background(), run, dir, path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{dir: dir, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // a killed process is how it ends
	}()
	return p, nil
}

// await tries until a server answers, and gives its log when it does not.
func (p *process) await(ctx context.Context, try func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("the server ended: %w; its log: %s", err, p.log())
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w; its log: %s", err, p.log())
		}
	}
}

func (p *process) log() []byte {
	text, err := os.ReadFile(filepath.Join(p.dir, "server.log"))
	if err != nil {
		return []byte(err.Error())
	}
	const most = 8 << 10
	return text[max(0, len(text)-most):]
}

// end sends the signal, waits for the process, and removes the folder. One that
// does not obey within ten seconds is killed.
func (p *process) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // one that has ended is what was asked for
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	os.RemoveAll(p.dir)
}
