package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings are what a role is told.
type settings struct {
	db, nats, name, without string
	// Of publishers.
	seed    uint64
	workers int
	keys    int
	most    int
	rate    float64
	// Of instances.
	service, journal string
	partitions       int
	think            time.Duration
	batches          bool
	// Of prepare.
	replicas list
}

// list is a flag that may be given again.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(v string) error {
	*l = append(*l, v)
	return nil
}

// The mechanisms that can be left out.
const (
	withoutInbox       = "inbox"
	withoutExclusivity = "exclusivity"
	withoutOutbox      = "outbox"
)

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("bank: which role? prepare, publisher, relay or instance")
	}
	var s settings
	flags := flag.NewFlagSet("bank "+args[0], flag.ContinueOnError)
	flags.StringVar(&s.db, "db", "", "DSN of the role's database")
	flags.StringVar(&s.nats, "nats", "", "URL of NATS")
	flags.StringVar(&s.name, "name", "", "of this process, never used before")
	flags.StringVar(&s.without, "without", "", "mechanism to leave out")
	flags.Uint64Var(&s.seed, "seed", 1, "of what is chosen at random")
	flags.IntVar(&s.workers, "workers", 4, "transactions, or handlers, at a time")
	flags.IntVar(&s.keys, "keys", 500, "how many accounts there may be")
	flags.IntVar(&s.most, "most", 4, "how many accounts one transaction changes at most")
	flags.Float64Var(&s.rate, "rate", 200, "changes a second at most")
	flags.StringVar(&s.service, "service", "", "ledger or cards")
	flags.StringVar(&s.journal, "journal", "", "file for what handlers did; the shared table if empty")
	flags.DurationVar(&s.think, "think", 0, "time between a handler's begin and its effect")
	flags.BoolVar(&s.batches, "batches", false, "apply in batches")
	flags.IntVar(&s.partitions, "partitions", 16, "of the service that is ordered by key")
	flags.Var(&s.replicas, "replica", "name and DSN of a service's database, as ledger=DSN, any number")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	roles := map[string]func(context.Context, settings, *slog.Logger) error{
		"prepare": prepare, "publisher": publish, "relay": relay, "instance": instance,
	}
	role := roles[args[0]]
	if role == nil {
		return fmt.Errorf("bank: no role %q", args[0])
	}
	if err := role(ctx, s, log); err != nil {
		return fmt.Errorf("bank %s: %w", args[0], err)
	}
	return nil
}
