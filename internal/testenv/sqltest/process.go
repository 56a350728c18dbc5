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

	"github.com/replhub/replhub/internal/testenv/child"
)

// endWithin bounds a server's end after it was asked for.
const endWithin = 10 * time.Second

// process is a server's process, in a folder of its own.
type process struct {
	*child.Process
	dir string
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
	cmd := exec.CommandContext(ctx, path, args...)
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
	p, err := child.Start(command(context.Background(), run, dir, path, args...), filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	return &process{Process: p, dir: dir}, nil
}

// end asks the process to end with a signal, and removes the folder.
func (p *process) end(sig syscall.Signal) error {
	return errors.Join(p.Stop(sig, endWithin), os.RemoveAll(p.dir))
}
