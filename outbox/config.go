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

// Publisher is what a relay publishes by: a *replhub.Client. The
// acknowledgements are those of the leading events that are stored, the error
// is that of the first event that is not known to be. Events of one key are
// stored in their order, or not at all.
//
// Where it has PublishAll, as a *replhub.Client has, that is used for more than one
// event. A type that embeds a *replhub.Client to do something with each event, such
// as to count or to change it, has the client's PublishAll too: it must override
// both methods, or hold the client in a field.
type Publisher interface {
	PublishBatch(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error)
}

// publishing has a Publisher publish with an acknowledgement for each event, or
// all together where it can.
func publishing(p Publisher) func(context.Context, []replhub.Event) ([]replhub.Ack, error) {
	all, ok := p.(interface {
		PublishAll(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error)
	})
	if ok {
		return all.PublishAll
	}
	return p.PublishBatch
}

// RelayConfig says what a relay works with. Only DB and Publisher have no
// default.
type RelayConfig struct {
	// DB is the database with the outbox. At most Workers of its connections are
	// used at once, and one will do. With pgx, stdlib.OpenDBFromPool makes one of
	// a pool.
	DB        *sql.DB
	Publisher Publisher
	// Workers is how many shards are worked on at once while rows wait beyond a batch;
	// 4 by default. Until then the rows of all shards go together.
	Workers int
	// BatchSize bounds the rows that are published and deleted at once; 256 by
	// default, at most 10,000. A batch of large rows is cut at 8 MiB.
	BatchSize int
	// Poll is the longest time between two looks for rows; 5 ms by default. A look
	// that finds none is a statement that reads a few pages of an index. The relay
	// looks more often than that, down to once a millisecond, while there is
	// traffic: rows that it found, or an Enqueue by the same Outbox.
	Poll time.Duration
	// PublishTimeout bounds one batch's way to the hub, during which its shard is
	// locked; 10 s by default. On SQLite it is at most half of Lease.
	PublishTimeout time.Duration
	// Lease, on SQLite only, is how long a relay that died keeps others from its
	// shard; 5 s by default. The other databases notice at once.
	Lease time.Duration
	// MinBackoff and MaxBackoff bound the time before the next try when NATS, the
	// hub or the database is away; it doubles from 100 ms to 5 s by default, with
	// jitter.
	MinBackoff, MaxBackoff time.Duration
	// Poison says of which errors an event will never be published: it is set
	// aside, and those behind it go on. By default replhub.ErrInvalidEvent and
	// replhub.ErrTooLarge. All other errors make the relay wait and try again.
	Poison func(error) bool
	// Logger takes what an operator should know; slog.Default by default.
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
