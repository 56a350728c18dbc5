// Command soak has a world of hubs, services and publishers run for a stated
// time, with requests and faults going on, and checks that every acknowledged
// event reached a worker of every service that it was due at, once and in order.
// It prints how far it is every ten seconds, and ends with code 1 when anything is
// lost, copied twice, out of order or not due.
//
// Everything listens on loopback, and is gone at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/replhub/replhub/e2e/soak/world"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run is the whole command with everything outside passed in.
func run(ctx context.Context, args []string, out io.Writer) error {
	cfg := world.Config{Out: out}
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&cfg.Time, "time", 0, "how long events are published (default 1m)")
	flags.Uint64Var(&cfg.Seed, "seed", 0, "seed of what is chosen at random (default 1)")
	flags.StringVar(&cfg.Kind, "world", "", "one: a nats-server and a hub; dev: both in one process; three: a cluster of three and two hubs, with leaders moved and nodes killed (default one)")
	flags.IntVar(&cfg.Lanes, "lanes", 0, "number of services (default 20, in three 10)")
	flags.IntVar(&cfg.Rate, "rate", 0, "events a second (default 800, in three 150)")
	logs := flags.String("log", "", "file that takes the hubs' logs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	if *logs != "" {
		f, err := os.Create(*logs)
		if err != nil {
			return err
		}
		defer f.Close()
		cfg.Log = f
	}
	var report world.Report
	err := onStage(out, func(s *stage) (err error) {
		report, err = world.Run(ctx, s, cfg)
		return err
	})
	if err != nil {
		return err
	}
	report.Print(out)
	return report.Err()
}
