package queue

import "time"

// Config says how a scheduler works. All fields are required, except where a zero
// is said to mean something.
type Config struct {
	// Ordered: the lane has partitions, each held by one instance at a time.
	Ordered bool
	// Workers is how many batches are under way at a time.
	Workers int
	// MaxInFlight bounds the events taken and not settled, those left out that wait
	// behind a failing event of their row.
	MaxInFlight int
	// MaxBatch bounds the events of one batch; 1 where the handler takes one.
	MaxBatch int
	// Batches: the handler takes several events at once, in one transaction.
	Batches bool
	// MaxAttempts is after how many attempts an event becomes a dead letter.
	MaxAttempts int
	// MaxBackoff is the time between attempts at a held event.
	MaxBackoff time.Duration
	// MaxWait bounds how long an event waits for another row; negative: such an
	// answer is a failure like others.
	MaxWait time.Duration
	// HoldKey: an event that became a dead letter keeps its row held.
	HoldKey bool
	// AckWait is after what time the server delivers an unacknowledged event again.
	AckWait time.Duration
	// Backoff is the time before the attempt that follows a number of failed ones,
	// ProbePause that before the probe that follows a number of failed ones.
	Backoff, ProbePause func(n int) time.Duration
}

// leastWindow is how many events a source may have in flight however slow the
// handlers are: enough for a large batch, whose time is hardly that of its events.
func (c *Config) leastWindow() int { return min(c.MaxInFlight, max(2*c.Workers, 16, c.MaxBatch)) }

// ceiling is how many events one of n sources may have in flight at most.
func (c *Config) ceiling(n int) int { return max(c.MaxInFlight/max(n, 1), min(c.MaxInFlight, 256)) }
