package replhub

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// SubscriberConfig says what a subscriber handles and how. The zero SubscriberConfig
// works where the service is registered already.
type SubscriberConfig struct {
	// Registration is put in force when Run begins. A Registration without interests
	// and queue keeps what is registered.
	Registration Registration
	// Workers is how many handlers run concurrently; 16 by default.
	Workers int
	// MaxInFlight bounds the events that this instance has taken and not
	// acknowledged; 1000 by default. Events that wait behind a failing event of their
	// key do not count. Within this bound the subscriber takes as many events as its
	// handlers process in about a tenth of a second, and at least two for each
	// worker. The server gives at most 1000 from one work queue or partition to all
	// instances.
	MaxInFlight int
	// MaxBatch bounds the deliveries that a BatchHandler gets at once; 500 by
	// default. Their payloads have 4 MiB together at most, except that one delivery
	// may be larger. MaxInFlight divided by Workers bounds a batch too.
	MaxBatch int
	// MaxAttempts is the number of attempts after which a failing event becomes a
	// dead letter; 10 by default. These attempts are made in this process and are one
	// delivery to the server. Queue.MaxDeliver bounds the deliveries: how often the
	// event comes to an instance, for example because the instance before died or
	// gave its partition up.
	MaxAttempts int
	// MinBackoff is the wait after the first failure, doubled at each further
	// one up to MaxBackoff, less up to half of it by chance; 100 ms and 30 s by
	// default.
	MinBackoff, MaxBackoff time.Duration
	// MaxWait bounds how long an event waits when the database refuses it because of
	// other rows (database.Waits): the row that a foreign key names is still missing,
	// or another row still has a unique value. The event is tried again after
	// back-offs of at most 3 s, uses up none of MaxAttempts, and holds up only its
	// own key. After MaxWait it becomes a dead letter with the reason "waits". The
	// default is 10 minutes; if negative, such errors are treated like any other. An
	// event that waits keeps its lane from being trimmed behind it. If waiting events
	// take all places that the server has for this queue, half of the waiting
	// events become dead letters at once; this instance redrives these when the other
	// events are done.
	MaxWait time.Duration
	// HoldKey keeps the key of an event that has become a dead letter held: the
	// event stays unacknowledged and is tried again at MaxBackoff until it
	// succeeds, and its key's later events wait. By default the key goes on.
	HoldKey bool
	// OnDead is called after a dead letter was stored; for alarms. cause is a
	// *DeadLetterError. Nothing by default. OnDead must return soon and may be called
	// concurrently.
	OnDead func(d *Delivery, cause error)
	// DrainTimeout bounds the end of Run: handlers under way may finish within
	// it, and then their context is cancelled; 10 s by default.
	DrainTimeout time.Duration
	// Instance names this process among the service's instances, in letters, digits,
	// "_" and "-", at most 64; random by default. No two instances may share one.
	Instance string
	// Middleware is put around the handler; the first is outermost.
	Middleware []Middleware
}

// defaultMaxBatch is where larger batches gain nothing more, see BenchmarkBatchSize:
// upserts into a PostgreSQL that syncs, by one worker, came to 4.5, 28, 95, 106 and 80
// thousand events a second in batches of 1, 100, 250, 500 and 1000.
const defaultMaxBatch = 500

func (s SubscriberConfig) withDefaults() SubscriberConfig {
	s.Workers = cmp.Or(s.Workers, 16)
	s.MaxInFlight = cmp.Or(s.MaxInFlight, 1000)
	s.MaxBatch = cmp.Or(s.MaxBatch, defaultMaxBatch)
	s.MaxAttempts = cmp.Or(s.MaxAttempts, 10)
	s.MinBackoff = cmp.Or(s.MinBackoff, 100*time.Millisecond)
	s.MaxBackoff = cmp.Or(s.MaxBackoff, max(30*time.Second, s.MinBackoff))
	s.MaxWait = cmp.Or(s.MaxWait, 10*time.Minute)
	s.DrainTimeout = cmp.Or(s.DrainTimeout, 10*time.Second)
	s.Instance = cmp.Or(s.Instance, strings.TrimPrefix(nats.NewInbox(), nats.InboxPrefix))
	return s
}

func (s SubscriberConfig) validate() error {
	switch {
	case s.Workers < 0:
		return fmt.Errorf("subscription: Workers %d: must be positive", s.Workers)
	case s.MaxInFlight < 0:
		return fmt.Errorf("subscription: MaxInFlight %d: must be positive", s.MaxInFlight)
	case s.MaxBatch < 0:
		return fmt.Errorf("subscription: MaxBatch %d: must be positive", s.MaxBatch)
	case s.MaxAttempts < 0:
		return fmt.Errorf("subscription: MaxAttempts %d: must be positive", s.MaxAttempts)
	case s.MinBackoff < 0:
		return fmt.Errorf("subscription: MinBackoff %s: must be positive", s.MinBackoff)
	case s.MaxBackoff < s.MinBackoff:
		return fmt.Errorf("subscription: MaxBackoff %s: must not be less than MinBackoff %s", s.MaxBackoff, s.MinBackoff)
	case s.DrainTimeout < 0:
		return fmt.Errorf("subscription: DrainTimeout %s: must be positive", s.DrainTimeout)
	case !regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`).MatchString(s.Instance):
		return fmt.Errorf("subscription: Instance %q: must be 1 to 64 letters, digits, _ or -", s.Instance)
	}
	return nil
}
