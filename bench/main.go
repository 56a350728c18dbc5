// Command bench measures the hub beside its baselines in one run: copies per
// second, latency from publisher to worker, memory with a backlog, and the
// time of a restart. It builds the hub and a nats-server, runs each in a
// process of its own on loopback, and checks the contents of every lane that it
// measured. It ends with code 1 and says so when a stated minimum is missed.
//
// What it does not promise: that figures of different runs or machines compare.
// They drift; the ratios to the baselines, measured in turns, are what counts.
// It measures one node without replicas, clients on the same machine.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the whole command with everything outside passed in.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	opts, err := parseOptions(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	l, err := newLab(ctx, opts.hub, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()

	report, err := measureAll(ctx, l, opts)
	if err != nil {
		return err
	}
	report.print(out)
	if opts.json != "" {
		if err := report.write(opts.json); err != nil {
			return err
		}
	}
	return report.verdict()
}

// measureAll runs the experiments that were asked for, one after the other.
func measureAll(ctx context.Context, l *lab, opts options) (*report, error) {
	r := newReport(opts)
	steps := []struct {
		name string
		do   func() error
	}{
		{onlyCopies, func() (err error) { r.Copies, err = measureCopies(ctx, l, opts); return err }},
		{onlyLatency, func() (err error) { r.Latency, err = measureLatency(ctx, l, opts); return err }},
		{onlyMemory, func() (err error) { r.Memory, err = measureMemory(ctx, l, opts); return err }},
		{onlyRestart, func() (err error) { r.Restart, err = measureRestart(ctx, l, opts); return err }},
		{onlyHubs, func() (err error) { r.Hubs, err = measureHubs(ctx, l, opts); return err }},
		{onlyScale, func() (err error) { r.Scale, err = measureScale(ctx, l, opts); return err }},
	}
	for _, s := range steps {
		if !opts.wants(s.name) {
			continue
		}
		if err := s.do(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return r, nil
}
