// Run plays the story, with two instances of each service, on a "replhub dev" of
// its own or on NATS_URL, and shows who publishes and who gets what, until Ctrl-C.
// User-profile makes a few changes, which sharing follows from the beginning;
// then application joins, gets the rows that there are, and follows as well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/examples/internal/programs"
)

func main() {
	ctx, stop := programs.Context()
	// Asked for, SIGPIPE does not kill: what was started is stopped when nobody
	// reads the output any more, as in "go run ./examples/run | head".
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const (
	instances = 2  // of each service
	early     = 12 // changes before application joins
	rows      = 2  // of its tenant, which those leave
)

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	changes := flags.Int("changes", 0, "how many changes user-profile makes after application has joined; 0 for one after another")
	pause := flags.String("pause", "700ms", "between two changes")
	keep := flags.String("dir", "", "folder of the databases, kept (default: a temporary one, removed)")
	port := flags.Int("port", 0, "port of NATS; 0 for a free one")
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
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	screen := &screen{out: out, gone: stop}
	screen.say("run", "building the programs, which takes a while the first time")
	if err := programs.Build(ctx, temporary, "cmd/replhub", "examples/user-profile", "examples/sharing", "examples/application"); err != nil {
		return unlessStopped(ctx, err)
	}
	url, stopHub, err := startHub(ctx, screen, temporary, *port)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	err = errors.Join(tell(ctx, screen, url, temporary, dir, *changes, *pause), stopHub())
	screen.say("run", "stopped")
	return err
}

// tell plays the story itself, with programs and databases in these folders.
func tell(ctx context.Context, screen *screen, url, binaries, dir string, changes int, pause string) error {
	environment := append(os.Environ(), "NATS_URL="+url)
	group, ctx := errgroup.WithContext(ctx)
	followed, joined := newEar(`^got .* user `, early), newEar(`^got row user `, rows)
	start := func(name string, ear *ear, args ...string) {
		command, _, _ := strings.Cut(name, "/")
		group.Go(func() error {
			return play(ctx, screen.lines(name, ear), environment, filepath.Join(binaries, command), append(args, "-dir", dir)...)
		})
	}
	for i := range instances {
		start("sharing/"+strconv.Itoa(i+1), followed)
	}
	start("user-profile/1", nil, "-changes", strconv.Itoa(early), "-pause", pause)
	followed.await(ctx)
	screen.say("run", "application joins")
	for i := range instances {
		start("application/"+strconv.Itoa(i+1), joined)
	}
	// A hub that knows application from before has no rows for it.
	joining, stop := context.WithTimeout(ctx, patience)
	defer stop()
	joined.await(joining)
	start("user-profile/2", nil, "-first", strconv.Itoa(early), "-changes", strconv.Itoa(changes), "-pause", pause)
	return group.Wait()
}

// unlessStopped is err, unless somebody asked for the end.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
