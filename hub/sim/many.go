package sim

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// Steps is how many actions a run has, before the world heals.
const Steps = 600

// shrinkPlays bounds how many scripts are played to shrink one.
const shrinkPlays = 5000

// Many runs many seeds.
type Many struct {
	// Seed is the first seed.
	Seed uint64
	// For is how long it goes on, Most how many seeds at most, and Events after how many
	// events it ends; 0 is no limit. Runs that have begun are finished.
	For    time.Duration
	Most   int
	Events int
	// Steps is how many actions a run has.
	Steps int
	// Near has each run be a variation of this script; nil has it be a new one.
	Near []Action
	Config
	// Report is called about every Every; nil and 0 never.
	Report func(Total)
	Every  time.Duration
}

// Total are the figures of many runs.
type Total struct {
	Counts

	Seeds int
	Took  time.Duration
	// Seed is the greatest seed that was run where all held. Else it is the least that broke
	// a guarantee, Broken what it broke, and Shrunk a short script that breaks the same.
	Seed   uint64
	Broken string
	Shrunk Result
}

// String is the figures in one line.
func (t *Total) String() string {
	return fmt.Sprintf("%d seeds in %s (%.0f a second): %d steps, %d faults, %d events, %d copies, %d effects, %d registrations, %d events and %d copies trimmed; to instances %d deliveries, %d of these again, %d dead letters, %d of these redriven, %d partitions handed over, %d rewinds, %d policies",
		t.Seeds, t.Took.Round(time.Millisecond), float64(t.Seeds)/t.Took.Seconds(), t.Steps, t.Faults, t.Events, t.Copies, t.Effects, t.Registrations, t.Trimmed, t.LaneTrimmed,
		t.Deliveries, t.Redelivered, t.Letters, t.Redriven, t.Handovers, t.Rewinds, t.Policies)
}

// Run runs seeds, one on each core at a time, until the time is over, ctx ends, or a run
// breaks a guarantee.
func (m Many) Run(ctx context.Context) Total {
	c := course{Many: m, next: m.Seed, began: time.Now(), told: time.Now()}
	var cores sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		cores.Go(func() {
			for seed, ok := c.take(ctx); ok; seed, ok = c.take(ctx) {
				c.ran(seed, m.run(seed))
			}
		})
	}
	cores.Wait()
	if c.total.Broken != "" {
		c.total.Shrunk = Shrink(c.broken, m.Config, shrinkPlays)
	}
	return c.total
}

// course is where Many stands. Its methods may be called at once.
type course struct {
	Many

	mu          sync.Mutex
	next        uint64
	began, told time.Time
	total       Total
	broken      []Action // the script of total.Seed
}

// take takes the next seed; ok is false where the course is over.
func (c *course) take(ctx context.Context) (seed uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil || c.over() {
		return 0, false
	}
	c.next++
	return c.next - 1, true
}

func (c *course) over() bool {
	return c.total.Broken != "" || c.For > 0 && time.Since(c.began) >= c.For ||
		c.Most > 0 && c.next-c.Seed >= uint64(c.Most) || c.Events > 0 && c.total.Events >= c.Events
}

// ran adds what a seed's run came to. Of those that broke a guarantee the least seed stays.
func (c *course) ran(seed uint64, r Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, now := &c.total, time.Now()
	t.add(r.Counts)
	t.Seeds++
	t.Took = now.Sub(c.began)
	switch {
	case r.Broken != "" && (t.Broken == "" || seed < t.Seed):
		t.Seed, t.Broken, c.broken = seed, r.Broken, r.Script
	case t.Broken == "":
		t.Seed = max(t.Seed, seed)
	}
	if c.Report != nil && c.Every > 0 && now.Sub(c.told) >= c.Every {
		c.told = now
		c.Report(*t)
	}
}

func (m Many) run(seed uint64) Result {
	if m.Near != nil {
		return Vary(m.Near, seed, m.Config)
	}
	return Run(seed, m.Steps, m.Config)
}

func (t *Total) add(c Counts) {
	t.Steps += c.Steps
	t.Faults += c.Faults
	t.Events += c.Events
	t.Copies += c.Copies
	t.Effects += c.Effects
	t.Registrations += c.Registrations
	t.Trimmed += c.Trimmed
	t.LaneTrimmed += c.LaneTrimmed
	t.Deliveries += c.Deliveries
	t.Redelivered += c.Redelivered
	t.Letters += c.Letters
	t.Redriven += c.Redriven
	t.Rewinds += c.Rewinds
	t.Policies += c.Policies
	t.Handovers += c.Handovers
}
