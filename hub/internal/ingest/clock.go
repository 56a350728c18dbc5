package ingest

import (
	"sync"
	"time"
)

// clock tells the time of ingest's server: the server's last time plus the time
// passed on this host since. It is used for times that several hosts write and
// compare, since hosts' clocks differ: when events were stored, how long a pin holds,
// where a start or a pause lies. Waits within one process use that process's own
// clock.
type clock struct {
	local func() time.Time

	mu          sync.Mutex // guards the rest
	told, heard time.Time  // the server's time, and when it came, by local
}

// hear takes the time from an answer of the server that has just come in. A slow
// answer makes the clock late, never early, so that young events and pins are at most
// kept for longer.
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

// Now is the time by ingest's server, as it was read within the last seconds. It may
// be called concurrently.
func (g *Ingest) Now() time.Time { return g.clock.now() }
