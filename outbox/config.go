package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/replhub/replhub"
)

// Publisher publishes a relay's events; a *replhub.Client is one. The
// acknowledgements are those of the leading events that are stored, the error is that
// of the first event that is not known to be. Events of one key are stored in their
// order, or not at all.
//
// If the Publisher also has PublishAll, as a *replhub.Client has, the relay uses that
// for more than one event. A type that embeds a *replhub.Client, for example to count
// or change each event, inherits PublishAll too: it must override both methods, or
// hold the client in a field.
type Publisher interface {
	PublishBatch(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error)
}

// publishing makes a Publisher publish with an acknowledgement for each event, or all
// together if it can.
func publishing(p Publisher) func(context.Context, []replhub.Event) ([]replhub.Ack, error) {
	all, ok := p.(interface {
		PublishAll(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error)
	})
	if ok {
		return all.PublishAll
	}
	return p.PublishBatch
}

// RelayConfig configures a Relay. DB and Publisher are required; all other fields
// have defaults.
type RelayConfig struct {
	// DB is the database with the outbox. The relay uses at most Workers connections
	// at once; one suffices. With pgx, stdlib.OpenDBFromPool makes a *sql.DB from a
	// pool.
	DB        *sql.DB
	Publisher Publisher
	// Workers is how many shards are published concurrently while more rows wait than
	// one batch takes; 4 by default. With fewer rows, one batch takes the rows of all
	// shards.
	Workers int
	// BatchSize bounds the rows that are published and deleted at once; 256 by
	// default, at most 10,000. A batch of large rows is cut at 8 MiB.
	BatchSize int
	// Poll is the longest time between two looks for rows; 5 ms by default. A look
	// that finds none is a statement that reads a few pages of an index. The relay
	// looks more often than that, down to once a millisecond, while there is
	// traffic: rows that it found, or an Enqueue by the same Outbox.
	Poll time.Duration
	// PublishTimeout bounds the publishing of one batch, during which its shard is
	// locked; 10 s by default. On SQLite it is at most half of Lease.
	PublishTimeout time.Duration
	// Lease, on SQLite only, is how long the shard of a dead relay stays blocked for
	// others; 5 s by default. The other databases release it at once.
	Lease time.Duration
	// MinBackoff and MaxBackoff bound the time before the next try when NATS, the hub or
	// the database is unavailable; it doubles from 100 ms to 5 s by default, with jitter.
	MinBackoff, MaxBackoff time.Duration
	// Poison reports whether an error means that its event can never be published.
	// The relay sets such an event aside and continues with the next ones. By default
	// these errors are replhub.ErrInvalidEvent and replhub.ErrTooLarge. After any
	// other error the relay waits and tries again.
	Poison func(error) bool
	// Logger gets the messages for operators; slog.Default by default.
	Logger *slog.Logger
}

func (c RelayConfig) withDefaults() RelayConfig {
	c.Workers = cmp.Or(c.Workers, 4)
	c.BatchSize = cmp.Or(c.BatchSize, 256)
	c.Poll = cmp.Or(c.Poll, 5*time.Millisecond)
	c.PublishTimeout = cmp.Or(c.PublishTimeout, 10*time.Second)
	c.Lease = cmp.Or(c.Lease, 5*time.Second)
	c.MinBackoff = cmp.Or(c.MinBackoff, 100*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, max(5*time.Second, c.MinBackoff))
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Poison == nil {
		c.Poison = func(err error) bool {
			return errors.Is(err, replhub.ErrInvalidEvent) || errors.Is(err, replhub.ErrTooLarge)
		}
	}
	return c
}

const maxBatch = 10_000

func (c RelayConfig) validate() error {
	switch {
	case c.DB == nil:
		return fmt.Errorf("config: DB: is required")
	case c.Publisher == nil:
		return fmt.Errorf("config: Publisher: is required")
	case c.Workers < 1:
		return fmt.Errorf("config: Workers %d: must be positive", c.Workers)
	case c.BatchSize < 1 || c.BatchSize > maxBatch:
		return fmt.Errorf("config: BatchSize %d: must be 1 to %d", c.BatchSize, maxBatch)
	case c.Poll < 0:
		return fmt.Errorf("config: Poll %s: must be positive", c.Poll)
	case c.PublishTimeout < 0:
		return fmt.Errorf("config: PublishTimeout %s: must be positive", c.PublishTimeout)
	case c.Lease < 0:
		return fmt.Errorf("config: Lease %s: must be positive", c.Lease)
	case c.MinBackoff < 0:
		return fmt.Errorf("config: MinBackoff %s: must be positive", c.MinBackoff)
	case c.MaxBackoff < c.MinBackoff:
		return fmt.Errorf("config: MaxBackoff %s: must be at least MinBackoff, %s", c.MaxBackoff, c.MinBackoff)
	}
	return nil
}
