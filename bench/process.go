package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/replhub/replhub/internal/testenv/child"
)

const (
	// readyWithin bounds the start of a process, stopWithin its end after
	// SIGTERM.
	readyWithin = 60 * time.Second
	stopWithin  = 30 * time.Second
)

// startProcess runs a binary, with the environment env and its output in a file,
// until stop or the end of ctx.
func startProcess(ctx context.Context, log string, env []string, path string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = env
	p, err := child.Start(cmd, log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return &process{p}, nil
}

// process is one run of a binary.
type process struct{ *child.Process }

// stop asks the process to end and waits for it; one that does not is killed.
func (p *process) stop() error { return p.Terminate(stopWithin) }

// await waits for a condition, for at most readyWithin.
func (p *process) await(ctx context.Context, what string, ready func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	return p.Await(ctx, what, ready)
}
