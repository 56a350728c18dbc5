package kvmap

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/replhub/replhub/internal/tree/mirror"
)

// Config says which bucket to mirror and how. Records is needed; every other
// field's zero value stands for its default.
type Config struct {
	// Bucket is created when it is missing. Default: "REPLHUB".
	Bucket string
	// Replicas of a bucket that is created. Default: 1.
	Replicas int
	// Records says which paths are records, as patterns in which * stands for
	// one segment: "entities/*/*". Other keys are left out with an alarm.
	Records []string
	// MemberTTL is how long a member outlives its process. At least a second,
	// in whole seconds. Default: 5s.
	MemberTTL time.Duration
	// CallTimeout bounds each Get, Put and Delete besides its context.
	// Default: 5s.
	CallTimeout time.Duration
	// Resync is the time between two complete readings. Default: 1m.
	Resync time.Duration
	// MaxValue bounds a record's value, in bytes: larger ones are refused when
	// written and left out when read. Default: 256 KiB.
	MaxValue int
	// Logger takes what is worth telling an operator. Default: discards.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Bucket = cmp.Or(c.Bucket, "REPLHUB")
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MemberTTL = cmp.Or(c.MemberTTL, 5*time.Second)
	c.CallTimeout = cmp.Or(c.CallTimeout, 5*time.Second)
	c.Resync = cmp.Or(c.Resync, time.Minute)
	c.MaxValue = cmp.Or(c.MaxValue, 256<<10)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}

// layout validates the configuration, naming the field, and returns what
// Records says.
func (c Config) layout() (mirror.Layout, error) {
	none := mirror.Layout{}
	if !mirror.ValidSegment(c.Bucket) {
		return none, fmt.Errorf("config: Bucket %q: must be of [a-zA-Z0-9_-]+", c.Bucket)
	}
	if c.Replicas < 1 || c.Replicas > 5 {
		return none, fmt.Errorf("config: Replicas %d: must be from 1 to 5", c.Replicas)
	}
	if c.MemberTTL < time.Second || c.MemberTTL%time.Second != 0 {
		return none, fmt.Errorf("config: MemberTTL %v: must be whole seconds, at least one", c.MemberTTL)
	}
	if c.CallTimeout < time.Millisecond {
		return none, fmt.Errorf("config: CallTimeout %v: must be at least 1ms", c.CallTimeout)
	}
	if c.Resync < time.Millisecond {
		return none, fmt.Errorf("config: Resync %v: must be at least 1ms", c.Resync)
	}
	if c.MaxValue < 0 {
		return none, fmt.Errorf("config: MaxValue %d: must be positive", c.MaxValue)
	}
	layout, err := mirror.NewLayout(c.Records, c.MaxValue)
	if err != nil {
		return none, fmt.Errorf("config: Records: %w", err)
	}
	return layout, nil
}

// streamName and prefix follow the key-value convention of NATS.
func (c Config) streamName() string { return "KV_" + c.Bucket }
func (c Config) prefix() string     { return "$KV." + c.Bucket + "." }
