package sim

import "time"

// clock is a hub's clock. It may run too fast or too slow. Nothing sets it while the
// process lives, because Go measures by a monotonic clock.
type clock struct {
	// at is a time, and reads is what the clock showed at that time. Since then it gains a
	// number of seconds in each hundred.
	at, reads time.Time
	gains     int
	// told is the last time that ingest's server reported, and heard is what this clock
	// showed when the report came.
	told, heard time.Time
}

func (c *clock) now(now time.Time) time.Time {
	return c.reads.Add(now.Sub(c.at) * time.Duration(100+c.gains) / 100)
}

func (c *clock) drift(now time.Time, gains int) {
	c.at, c.reads, c.gains = now, c.now(now), gains
}

func (c *clock) hear(now, told time.Time) { c.told, c.heard = told, c.now(now) }

// now is what the hub's clock says.
func (h *hub) now() time.Time { return h.clock.now(h.w.now) }

// ingestNow is the time of ingest's server, as far as the hub knows it (package ingest,
// Ingest.Now).
func (h *hub) ingestNow() time.Time {
	if h.clock.told.IsZero() {
		return h.now()
	}
	return h.clock.told.Add(h.now().Sub(h.clock.heard))
}
