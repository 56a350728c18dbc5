package ingest

import (
	"sync"
	"time"
)

// clock tells the time of ingest's server: what the server said last, and what
// has passed on this host since. Times that several hosts write and compare go
// by it, since hosts' clocks differ: when events were stored, how long a pin
// holds, where a start or a pause lies. What one process waits for goes by that
// process's own clock.
type clock struct {
	local func() time.Time

	mu          sync.Mutex // guards the rest
	told, heard time.Time  // the server's time, and when it came, by local
}

// hear takes the time from an answer of the server that has just come in. An
// answer that took long makes the clock late by that, never early: what is too
// young to be trimmed, or a pin, is at most kept for longer.
func (c *clock) hear(told time.Time) {
	if told.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.heard = told, c.local()
}

// now is the server's time; the host's before the server has said anything.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told.IsZero() {
		return c.local().UTC()
	}
	return c.told.Add(c.local().Sub(c.heard)).UTC()
}

// Now is the time by ingest's server, as told within the last seconds. May be
// called concurrently.
func (g *Ingest) Now() time.Time { return g.clock.now() }
