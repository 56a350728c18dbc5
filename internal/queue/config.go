package queue

import "time"

// Config configures a scheduler. All fields are required, except those whose comment
// gives the zero value a meaning.
type Config struct {
	// Ordered says that the lane has partitions, each held by one instance at a time.
	Ordered bool
	// Workers is how many batches are under way at a time.
	Workers int
	// MaxInFlight bounds the events taken and not settled. Events that wait behind a
	// failing event of their row do not count.
	MaxInFlight int
	// MaxBatch bounds the events of one batch; 1 where the handler takes one.
	MaxBatch int
	// Batches says that the handler takes several events at once, in one transaction.
	Batches bool
	// MaxAttempts is the number of attempts after which an event becomes a dead
	// letter.
	MaxAttempts int
	// MaxBackoff is the time between attempts at a held event.
	MaxBackoff time.Duration
	// MaxWait bounds how long an event waits for another row. If negative, such an
	// answer is a failure like any other.
	MaxWait time.Duration
	// HoldKey says that the row of an event stays held after the event has become a
	// dead letter. The event is then tried again until it succeeds.
	HoldKey bool
	// AckWait is the time after which the server delivers an unacknowledged event
	// again.
	AckWait time.Duration
	// Backoff is the time before the next attempt after a number of failed attempts.
	// ProbePause is the time before the next probe after a number of failed probes.
	Backoff, ProbePause func(n int) time.Duration
}

// leastWindow is the number of events that a source may always have in flight, even if
// the handlers are slow. It suffices for a large batch, because a large batch takes
// little longer than one event.
func (c *Config) leastWindow() int { return min(c.MaxInFlight, max(2*c.Workers, 16, c.MaxBatch)) }

// ceiling is the greatest number of events that one of n sources may have in flight.
func (c *Config) ceiling(n int) int { return max(c.MaxInFlight/max(n, 1), min(c.MaxInFlight, 256)) }

// progressEvery is the time between rounds of in-progress acknowledgements.
func (c *Config) progressEvery() time.Duration { return max(c.AckWait/4, 10*time.Millisecond) }
