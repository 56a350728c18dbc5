package world

import (
	"cmp"
	"fmt"
	"io"
	"time"
)

// Kinds of world.
const (
	// One is one nats-server and one hub.
	One = "one"
	// Dev is One with the server in the hub's process, as replhub dev has it: what
	// the server does on another goroutine comes later than between processes.
	Dev = "dev"
	// Three is a cluster of three and two hubs; leaders move and nodes are killed.
	Three = "three"
)

// Config says what runs. The zero Config works.
type Config struct {
	// Kind is One (the default), Dev or Three.
	Kind string
	// Time is how long events are published; 1 minute by default.
	Time time.Duration
	// Seed of what is chosen at random; 1 by default.
	Seed uint64
	// Lanes is how many services there are; 20 by default, 10 in Three.
	Lanes int
	// Rate is how many events are published each second; 800 by default, 150 in
	// Three. It sinks while workers cannot follow.
	Rate int
	// Settle is how long after the last event everything due may take; 1 minute
	// by default, 3 in Three.
	Settle time.Duration
	// Out takes the progress; nothing by default.
	Out io.Writer
	// Log takes the hubs' logs; nothing by default.
	Log io.Writer
}

func (c Config) withDefaults() Config {
	c.Kind = cmp.Or(c.Kind, One)
	c.Time = cmp.Or(c.Time, time.Minute)
	c.Seed = cmp.Or(c.Seed, 1)
	lanes, rate, settle := 20, 800, time.Minute
	if c.Kind == Three {
		lanes, rate, settle = 10, 150, 3*time.Minute
	}
	c.Lanes, c.Rate, c.Settle = cmp.Or(c.Lanes, lanes), cmp.Or(c.Rate, rate), cmp.Or(c.Settle, settle)
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c
}

// Validate checks a Config; what is zero takes its default.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.Kind != One && c.Kind != Dev && c.Kind != Three:
		return fmt.Errorf("world %q: must be %q, %q or %q", c.Kind, One, Dev, Three)
	case c.Time < 0:
		return fmt.Errorf("time %s: must be positive", c.Time)
	case c.Lanes < 2:
		return fmt.Errorf("lanes %d: must be at least 2, one of each order", c.Lanes)
	case c.Rate < 1:
		return fmt.Errorf("rate %d: must be positive", c.Rate)
	}
	return nil
}

const (
	// history, trimGuard and dedupeWindow are short, so that what may be trimmed
	// is trimmed at once, and what must not be is missed.
	history      = 3 * time.Second
	trimGuard    = 2 * time.Second
	dedupeWindow = 2 * time.Second
	trimEvery    = time.Second
	// ingestBytes is never reached by a world that works.
	ingestBytes = 512 << 20
	// Lanes get from least to most bytes, doubled from one to the next.
	leastLaneBytes = 64 << 10
	mostLaneBytes  = 1 << 20
	// ackWait is short, so that what a worker leaves comes again.
	ackWait = 3 * time.Second
	// maxDeliver leaves no dead letters: all workers are healthy.
	maxDeliver = 1000
	partitions = 4
	instances  = 2
)
