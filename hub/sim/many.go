package sim

import (
	"context"
	"fmt"
	"time"
)

// Steps is how many actions a run has, before the world heals.
const Steps = 600

// shrinkPlays bounds how many scripts are played to shrink one.
const shrinkPlays = 5000

// Many runs seed after seed.
type Many struct {
	// Seed is the first seed.
	Seed uint64
	// For is how long it goes on, Most how many seeds at most, and Events after how many
	// events it ends; 0 is no limit.
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
	// Seed is the last seed, Broken what it broke; empty where all held. Shrunk is a
	// short script that breaks the same.
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

// Run runs until the time is over, ctx ends, or a run breaks a guarantee.
func (m Many) Run(ctx context.Context) (t Total) {
	began := time.Now()
	told := began
	for t.Seed = m.Seed; ; t.Seed++ {
		r := m.run(t.Seed)
		t.add(r.Counts)
		t.Seeds++
		now := time.Now()
		t.Took = now.Sub(began)
		if r.Broken != "" {
			t.Broken = r.Broken
			t.Shrunk = Shrink(r.Script, m.Config, shrinkPlays)
			return t
		}
		if m.over(t) || ctx.Err() != nil {
			return t
		}
		if m.Report != nil && m.Every > 0 && now.Sub(told) >= m.Every {
			told = now
			m.Report(t)
		}
	}
}

func (m Many) over(t Total) bool {
	return m.For > 0 && t.Took >= m.For || t.Seeds == m.Most || m.Events > 0 && t.Events >= m.Events
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
