package queue

import "time"

// env is what the scheduler's parts share: the settings, the time, and the outputs of
// the input under way.
type env struct {
	cfg    Config
	closed bool // Drain was called
	clock
	outputs
}

// clock is the time of the input under way, and the periodic work that is due.
type clock struct {
	now     time.Time
	ticks   uint32 // counts the rounds of in-progress acknowledgements
	seconds uint32 // counts seconds, roughly; does not advance while the process stands still
	// When the next round and the next second are due.
	nextTick, nextSecond time.Time
}

// newClock begins at now, with a round after each interval.
func newClock(now time.Time, every time.Duration) clock {
	return clock{now: now, nextTick: now.Add(every), nextSecond: now.Add(time.Second)}
}

// tick reports whether a round of in-progress acknowledgements is due, and counts it.
func (c *clock) tick(every time.Duration) bool {
	if c.now.Before(c.nextTick) {
		return false
	}
	c.nextTick = c.now.Add(every)
	c.ticks++
	return true
}

// second reports whether a second is over, and counts it.
func (c *clock) second() bool {
	if c.now.Before(c.nextSecond) {
		return false
	}
	c.nextSecond = c.now.Add(time.Second)
	c.seconds++
	return true
}

// earliest returns the earliest of some times, of which zero times do not count.
func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
