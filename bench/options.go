package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The experiments, as values of -only.
const (
	onlyCopies  = "copies"
	onlyLatency = "latency"
	onlyMemory  = "memory"
	onlyRestart = "restart"
	// These take minutes, and are measured only where they are named.
	onlyHubs  = "hubs"
	onlyScale = "scale"
)

func experiments() []string {
	return []string{onlyCopies, onlyLatency, onlyMemory, onlyRestart, onlyHubs, onlyScale}
}

// options are what the command line says.
type options struct {
	quick, full bool
	lanes       []int
	rounds      int
	events      int
	services    int
	only        []string
	json        string
	hub         string
}

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	var lanes, only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(out)
	f.BoolVar(&o.quick, "quick", false, "a tenth of the events and two rounds: to see it work, not to quote")
	f.BoolVar(&o.full, "full", false, "restart with 1000 lanes too")
	f.StringVar(&lanes, "lanes", "1,3,10,100", "numbers of lanes to copy into")
	f.IntVar(&o.rounds, "rounds", 0, "rounds of each measurement (default 5, quick 2)")
	f.IntVar(&o.events, "events", 0, "events that wait in ingest (default as many as make 600000 copies, quick 60000)")
	f.IntVar(&o.services, "services", 0, "services of the experiment scale (default 5000, quick 500)")
	f.StringVar(&only, "only", "", "only these of "+strings.Join(experiments(), ", ")+", separated by commas")
	f.StringVar(&o.json, "json", "", "write the figures to this `file` too")
	f.StringVar(&o.hub, "hub", "", "measure this replhub `binary` instead of building one")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	if f.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	for field := range strings.SplitSeq(lanes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return options{}, fmt.Errorf("-lanes %q: %w", lanes, err)
		}
		o.lanes = append(o.lanes, n)
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	if o.rounds == 0 {
		o.rounds = o.size(5, 2)
	}
	return o, o.validate()
}

func (o options) validate() error {
	for _, n := range o.lanes {
		if n < 1 || n > 1000 {
			return fmt.Errorf("-lanes %d: must be 1 to 1000", n)
		}
	}
	for _, name := range o.only {
		if !slices.Contains(experiments(), name) {
			return fmt.Errorf("-only %q: must be of %s", name, strings.Join(experiments(), ", "))
		}
	}
	switch {
	case o.rounds < 1:
		return fmt.Errorf("-rounds %d: must be positive", o.rounds)
	case o.services < 0 || o.services > scaleServices:
		return fmt.Errorf("-services %d: must be 1 to %d", o.services, scaleServices)
	case o.events < 0:
		return fmt.Errorf("-events %d: must be positive", o.events)
	case o.quick && o.full:
		return errors.New("-quick and -full exclude each other")
	}
	return nil
}

func (o options) wants(experiment string) bool {
	return len(o.only) == 0 && experiment != onlyScale && experiment != onlyHubs || slices.Contains(o.only, experiment)
}

// size is one of two sizes, by -quick.
func (o options) size(normal, quick int) int {
	if o.quick {
		return quick
	}
	return normal
}

// eventsFor is how many events wait for a number of lanes: the copies of a round
// take a few seconds, however many lanes share them.
func (o options) eventsFor(lanes int) int {
	if o.events > 0 {
		return o.events
	}
	return max(o.size(600_000, 60_000)/lanes, 1)
}

// scale is how many services there are in the experiment of that name.
func (o options) scale() int {
	if o.services > 0 {
		return o.services
	}
	return o.size(scaleServices, scaleQuick)
}

// latencyTime is how long one round of the latency publishes.
func (o options) latencyTime() time.Duration {
	return time.Duration(o.size(6, 2)) * time.Second
}

// backlogs are the numbers of waiting events whose memory is compared. The
// smaller one is not below 100000 by default: it has to fill what the hub keeps
// in memory, else the comparison says nothing.
func (o options) backlogs() (small, large int) {
	if o.events > 0 {
		return o.events, 10 * o.events
	}
	return 100_000, o.size(1_000_000, 300_000)
}

// restarts are the numbers of lanes that a hub is restarted with.
func (o options) restarts() []int {
	switch {
	case o.quick:
		return []int{20}
	case o.full:
		return []int{100, 1000}
	}
	return []int{100}
}
