package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/replhub/replhub/examples/internal/programs"
)

// patience is how long a program may take to stop before it is killed, and how
// long the story waits for the rows of one that joins.
const patience = 15 * time.Second

// play runs a program until ctx ends, and then until it has stopped.
func play(ctx context.Context, out io.Writer, environment []string, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment, out, out
	programs.OwnGroup(cmd)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	err := cmd.Run()
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || err == nil) {
		return nil
	}
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return fmt.Errorf("%s: %w", filepath.Base(path), err)
}

// startHub starts "replhub dev", unless NATS_URL says where a hub is. It is
// stopped after those who work with it.
func startHub(ctx context.Context, s *screen, dir string, port int) (url string, stop func() error, err error) {
	if url := os.Getenv("NATS_URL"); url != "" {
		return url, func() error { return nil }, nil
	}
	hub, cancel := context.WithCancel(context.WithoutCancel(ctx))
	banner := s.await("replhub", regexp.MustCompile(`nats://[0-9.:]+`))
	done := make(chan error, 1)
	go func() {
		done <- play(hub, banner, os.Environ(), filepath.Join(dir, "replhub"), "dev", "--port", strconv.Itoa(port), "--http", "127.0.0.1:0")
	}()
	stop = func() error {
		cancel()
		return <-done
	}
	select {
	case url := <-banner.found:
		s.say("replhub", "dev listens on "+url)
		return url, stop, nil
	case err := <-done:
		cancel()
		return "", nil, err
	case <-ctx.Done():
		return "", nil, errors.Join(ctx.Err(), stop())
	}
}
