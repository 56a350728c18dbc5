package inbox

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Config says where and how an inbox records the applied changes. The zero value is
// an inbox on PostgreSQL.
type Config struct {
	// Dialect is the database's; database.Postgres by default.
	Dialect database.Dialect
	// Table is the inbox's own table, with its schema before a dot or not;
	// "replhub_inbox" by default. The name is taken as written, capitals too.
	Table string
	// Policy decides whether an incoming change replaces the applied one; nil means
	// [Newest], which costs least.
	Policy Policy
	// Key returns the key of a delivery's row, for the inbox and its tables; nil
	// means the delivery's Key. The result must be a valid key (see the package's
	// documentation). Deliveries for which it is empty are refused with [ErrNoKey]:
	// they have no order that could be guarded. For an entity whose events have no
	// keys it may return the delivery's ID; the table then grows with each event.
	Key func(d *replhub.Delivery) string
	// Time returns the time that [ByTime] compares; nil means the delivery's Time,
	// when ingest stored the event. A publisher may put its own time into a header.
	Time func(d *replhub.Delivery) time.Time
	// Retries is how often Do tries again when the database gives up a transaction in
	// favour of another; 10 by default, negative means never.
	Retries int
	// Retryable reports further errors after which Do tries again, beside the known
	// ones: serialization failures, deadlocks and a busy SQLite file. Nil adds none.
	Retryable func(err error) bool
	// Logger gets one message for each payload member that no column takes, each
	// column without a member, and each publisher whose versions restarted;
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
