package inbox

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Config says where and how an inbox keeps what was applied. The zero value is
// one on PostgreSQL.
type Config struct {
	// Dialect is the database's; database.Postgres by default.
	Dialect database.Dialect
	// Table is the inbox's own table, with its schema before a dot or not;
	// "replhub_inbox" by default. The name is taken as written, capitals too.
	Table string
	// Policy decides between what is applied and what comes; nil is [Newest],
	// which costs least.
	Policy Policy
	// Key says whose row a delivery is, to the inbox and to its tables; nil is its
	// Key. What it returns must be a key by the one rule (see the package's
	// documentation). Deliveries for which it is empty are refused with
	// [ErrNoKey]: they have no order that could be guarded. For an entity whose
	// events have no keys it may return the delivery's ID; the table then grows
	// with each event.
	Key func(d *replhub.Delivery) string
	// Time is the time that [ByTime] compares; nil is the delivery's Time, when
	// ingest stored the event. Publishers may put their own into a header.
	Time func(d *replhub.Delivery) time.Time
	// Retries is how often Do tries again when the database gives up a
	// transaction in favour of another; 10 by default, negative is never.
	Retries int
	// Retryable tells of further errors after which Do tries again, beside those
	// that are known: serialization failures, deadlocks and a busy SQLite file.
	// Nil knows none.
	Retryable func(err error) bool
	// Logger is told, once for each, of payload members that no column takes, of
	// columns without a member, and of publishers that began to count again;
	// slog.Default() by default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Table = cmp.Or(c.Table, "replhub_inbox")
	c.Retries = cmp.Or(c.Retries, 10)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Key == nil {
		c.Key = func(d *replhub.Delivery) string { return d.Key }
	}
	if c.Time == nil {
		c.Time = func(d *replhub.Delivery) time.Time { return d.Time }
	}
	return c
}

func (c Config) validate() error {
	if err := c.Dialect.Validate(); err != nil {
		return fmt.Errorf("inbox config: %w", err)
	}
	if _, err := c.Dialect.QuotePath(c.Table); err != nil {
		return fmt.Errorf("inbox config: Table: %w", err)
	}
	return nil
}
