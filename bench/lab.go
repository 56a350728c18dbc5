package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// lab is a folder with the binaries that are measured, and room for stores.
type lab struct {
	dir        string
	natsServer string
	hub        string
	out        io.Writer
}

// newLab builds the nats-server of go.mod, and the hub unless a binary is given,
// into a temporary folder. It has to run within the module.
func newLab(ctx context.Context, hub string, out io.Writer) (*lab, error) {
	dir, err := os.MkdirTemp("", "replhub-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	l := &lab{dir: dir, natsServer: filepath.Join(dir, "nats-server"), hub: hub, out: out}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) build(ctx context.Context) error {
	if err := goBuild(ctx, l.natsServer, "github.com/nats-io/nats-server/v2"); err != nil {
		return err
	}
	if l.hub != "" {
		return nil
	}
	l.hub = filepath.Join(l.dir, "replhub")
	return goBuild(ctx, l.hub, "github.com/replhub/replhub/cmd/replhub")
}

func goBuild(ctx context.Context, path, pkg string) error {
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return nil
}

// say prints how far the run is.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.out, format+"\n", args...)
}

// close removes the folder; every process has been stopped by then.
func (l *lab) close() error { return os.RemoveAll(l.dir) }
