// Run plays the story: it starts user-profile, and two instances each of sharing
// and application, on a "replhub dev" of its own or on NATS_URL, and shows who
// publishes and who gets what, until Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const (
	module    = "github.com/replhub/replhub"
	instances = 2 // of each subscriber
)

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	changes := flags.Int("changes", 0, "how many changes user-profile makes; 0 for one after another")
	pause := flags.String("pause", "700ms", "between two changes")
	keep := flags.String("dir", "", "folder of the databases, kept (default: a temporary one, removed)")
	port := flags.Int("port", 4222, "port of NATS; 0 for a free one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "replhub-examples-")
	if err != nil {
		return fmt.Errorf("make a folder for the programs: %w", err)
	}
	defer os.RemoveAll(temporary)
	dir := temporary
	if *keep != "" {
		dir = *keep
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("make the databases' folder: %w", err)
		}
	}
	screen := &screen{out: out}
	screen.say("run", "building the programs, which takes a while the first time")
	if err := build(ctx, temporary); err != nil {
		return unlessStopped(ctx, err)
	}
	url, stopHub, err := startHub(ctx, screen, temporary, *port)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	environment := append(os.Environ(), "NATS_URL="+url)
	group, ctx := errgroup.WithContext(ctx)
	start := func(name, program string, args ...string) {
		group.Go(func() error {
			return play(ctx, screen.lines(name), environment, filepath.Join(temporary, program), append(args, "-dir", dir)...)
		})
	}
	for i := range instances {
		start("sharing/"+strconv.Itoa(i+1), "sharing")
		start("application/"+strconv.Itoa(i+1), "application")
	}
	start("user-profile", "user-profile", "-changes", strconv.Itoa(*changes), "-pause", *pause)
	err = errors.Join(group.Wait(), stopHub())
	screen.say("run", "stopped")
	return err
}

// unlessStopped is err, unless somebody asked for the end.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// build builds all the programs into a folder.
func build(ctx context.Context, dir string) error {
	packages := []string{"build", "-o", dir}
	for _, program := range []string{"cmd/replhub", "examples/user-profile", "examples/sharing", "examples/application"} {
		packages = append(packages, module+"/"+program)
	}
	if said, err := exec.CommandContext(ctx, "go", packages...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}
