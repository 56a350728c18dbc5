package outbox

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/replhub/replhub/database"
)

// Config says where the outbox's tables are. The zero value is an outbox on
// PostgreSQL.
type Config struct {
	// Dialect is the database's; database.Postgres by default.
	Dialect database.Dialect
	// Table is the outbox's table, and the beginning of the names of the others:
	// lower-case letters, digits and "_", at most 40, optionally with a schema and a "."
	// in front; "replhub_outbox" by default.
	Table string
	// Shards is how many relays can publish at the same time; 16 by default, at most
	// 256. Keys are spread over the shards. Change the number only while the outbox
	// is empty and no transaction enqueues; otherwise events of one key may be
	// published out of order.
	Shards int
	// MaxBytes is the largest event, headers included; 1 MiB by default, as is
	// nats-server's limit (max_payload).
	MaxBytes int
	// Log, on PostgreSQL only, writes events into the database's write-ahead log
	// (pg_logical_emit_message) instead of a table. "replhub capture postgres" publishes
	// them, each once and in the order of the commits, so that they need neither an ID
	// nor a version. The outbox then has no tables, no Schema and no Relay. The server
	// needs wal_level=logical. Any language can write the same message, see
	// docs/any-language.md.
	Log bool
	// Trace gives the headers that carry the context's trace, such as "traceparent",
	// taken by Enqueue; none by default. The event's own headers take precedence.
	Trace func(ctx context.Context) map[string]string
}

func (c Config) withDefaults() Config {
	c.Table = cmp.Or(c.Table, "replhub_outbox")
	c.Shards = cmp.Or(c.Shards, 16)
	c.MaxBytes = cmp.Or(c.MaxBytes, 1<<20)
	return c
}

const maxShards = 256

func (c Config) validate() error {
	if err := c.Dialect.Validate(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	switch {
	case c.Log && c.Dialect != database.Postgres:
		return fmt.Errorf("config: Log: is for PostgreSQL only")
	case !regexp.MustCompile(`^([a-z_][a-z0-9_]{0,39}\.)?[a-z_][a-z0-9_]{0,39}$`).MatchString(c.Table):
		return fmt.Errorf("config: Table %q: must be lower-case letters, digits and _, at most 40, optionally with a schema and a dot in front", c.Table)
	case c.Dialect == database.SQLite && strings.Contains(c.Table, "."):
		return fmt.Errorf("config: Table %q: SQLite has no schemas", c.Table)
	case c.Shards < 1 || c.Shards > maxShards:
		return fmt.Errorf("config: Shards %d: must be 1 to %d", c.Shards, maxShards)
	case c.MaxBytes < 1:
		return fmt.Errorf("config: MaxBytes %d: must be positive", c.MaxBytes)
	}
	return nil
}

// Outbox writes events into its table. Its methods may be called concurrently.
type Outbox struct {
	cfg      Config
	sql      statements
	audience audience
}

// New makes an Outbox. It does not use the database.
func New(cfg Config) (*Outbox, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Outbox{cfg: cfg, sql: statementsFor(cfg)}, nil
}
