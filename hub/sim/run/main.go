// Command run runs the simulation of package sim.
//
//	go run ./hub/sim/run -for 1m               seed after seed, for a minute
//	go run ./hub/sim/run -seed 7 -runs 1       one seed
//	go run ./hub/sim/run -for 0 -events 100000000
//	go run ./hub/sim/run -script F -trace      a script, with everything that happens
//	go run ./hub/sim/run -near F               variations of a script
//	go run ./hub/sim/run -flaw "two appends in flight"
//
// It prints figures, and where a guarantee is broken the seed and a short script, and
// exits with 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/sim"
)

// gcPercent: a run holds little and leaves much garbage. With 4000 there are 2.5 times as many
// seeds a second as with Go's default of 100, and has 500 MB.
const gcPercent = 4000

func main() {
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

// errBroken: a guarantee was broken, which was printed.
var errBroken = errors.New("a guarantee is broken")

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	duration := flags.Duration("for", time.Minute, "how long to run; 0 is no limit")
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "the first seed; by default another each time")
	most := flags.Int("runs", 0, "how many seeds at most; 0 is no limit")
	events := flags.Int("events", 0, "end after this number of events; 0 means no limit")
	steps := flags.Int("steps", sim.Steps, "actions of a run")
	script := flags.String("script", "", "play the script of this file instead")
	near := flags.String("near", "", "play variations of the script of this file")
	trace := flags.Bool("trace", false, "print everything that happens in the script")
	flaw := flags.String("flaw", "", fmt.Sprintf("take a mechanism out, one of %q", slices.Concat(sim.Flaws, sim.QueueFlaws)))
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg := sim.Config{Flaw: sim.Flaw(*flaw)}
	if *trace {
		cfg.Trace = func(line string) { fmt.Fprintln(out, line) }
	}
	if *script != "" {
		return play(*script, cfg, out)
	}
	var varied []sim.Action
	if *near != "" {
		var err error
		if varied, err = read(*near); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "from seed %d\n", *seed)
	t := sim.Many{
		Seed: *seed, For: *duration, Most: *most, Events: *events, Steps: *steps, Near: varied, Config: cfg,
		Every: 10 * time.Second, Report: func(t sim.Total) { fmt.Fprintln(out, t.String()) },
	}.Run(ctx)
	fmt.Fprintln(out, t.String())
	if t.Broken == "" {
		return nil
	}
	fmt.Fprintf(out, "seed %d: %s\n\n# %s\n%s", t.Seed, t.Broken, t.Shrunk.Broken, sim.Format(t.Shrunk.Script))
	return errBroken
}

// read reads a script.
func read(file string) ([]sim.Action, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	actions, err := sim.ParseScript(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return actions, nil
}

// play plays a script.
func play(file string, cfg sim.Config, out io.Writer) error {
	actions, err := read(file)
	if err != nil {
		return err
	}
	r := sim.Play(actions, cfg)
	if r.Broken == "" {
		fmt.Fprintln(out, "every guarantee holds")
		return nil
	}
	fmt.Fprintln(out, r.Broken)
	return errBroken
}
