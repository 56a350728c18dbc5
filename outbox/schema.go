package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/replhub/replhub/database"
)

// Schema returns the statements that create the missing tables of the outbox; none with
// Config.Log.
func (o *Outbox) Schema() database.Schema {
	if o.cfg.Log {
		return nil
	}
	var tables []string
	switch o.cfg.Dialect {
	case database.Postgres:
		tables = postgresSchema()
	case database.MariaDB:
		tables = mariadbSchema()
	default:
		tables = sqliteSchema()
	}
	_, bare, found := strings.Cut(o.cfg.Table, ".")
	if !found {
		bare = o.cfg.Table
	}
	names := strings.NewReplacer("{table}", o.cfg.Table, "{bare}", bare,
		"{maxVersion}", strconv.FormatInt(maxVersion, 10), "{maxGeneration}", strconv.FormatInt(maxGeneration, 10))
	for i, t := range tables {
		tables[i] = names.Replace(t)
	}
	return append(tables, o.shardRows(), o.firstRows("generation", "one", 1, 1))
}

// shardRows makes a row for each shard.
func (o *Outbox) shardRows() string { return o.firstRows("shards", "shard", 0, o.cfg.Shards) }

// firstRows makes count rows of a table that is not empty from then on.
func (o *Outbox) firstRows(table, column string, first, count int) string {
	values := make([]string, count)
	if o.cfg.Dialect == database.MariaDB {
		// Not VALUES alone: that waits for rows that are there and locked, as those of
		// shards are while a batch is published.
		for i := range values {
			values[i] = fmt.Sprintf("SELECT %d AS n", first+i)
		}
		return fmt.Sprintf("INSERT IGNORE INTO %[1]s_%[2]s (%[3]s) SELECT n FROM (%[4]s) AS v WHERE n NOT IN (SELECT %[3]s FROM %[1]s_%[2]s)",
			o.cfg.Table, table, column, strings.Join(values, " UNION ALL "))
	}
	for i := range values {
		values[i] = fmt.Sprintf("(%d)", first+i)
	}
	return fmt.Sprintf("INSERT INTO %s_%s (%s) VALUES %s ON CONFLICT DO NOTHING", o.cfg.Table, table, column, strings.Join(values, ", "))
}

// Migrate creates missing tables, and adds what this version needs to those that are
// there, see [database.Schema.Migrate]. It may be called by many instances at once, at
// every start.
func (o *Outbox) Migrate(ctx context.Context, db *sql.DB) error {
	return o.Schema().Migrate(ctx, db, o.cfg.Dialect, o.cfg.Table)
}

// rollback ends a transaction that may have ended by itself.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// postgresSchema: rows come and go, so autovacuum is due by number, not by
// share; and versions are updated in place where pages have room.
func postgresSchema() []string {
	const row = `shard integer NOT NULL, entity text NOT NULL, op text NOT NULL, entity_key text NOT NULL,
		version bigint NOT NULL, event_id text NOT NULL, content_type text NOT NULL, header text NOT NULL,
		payload bytea NOT NULL, enqueued_at bigint NOT NULL`
	return []string{
		`CREATE TABLE IF NOT EXISTS {table} (id bigserial PRIMARY KEY, ` + row + `)
		WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1)`,
		`CREATE INDEX IF NOT EXISTS {bare}_shard ON {table} (shard, id)`,
		`CREATE TABLE IF NOT EXISTS {table}_versions (entity text NOT NULL, entity_key text NOT NULL,
		version bigint NOT NULL CHECK (version <= {maxVersion}), PRIMARY KEY (entity, entity_key)) WITH (fillfactor = 80)`,
		`CREATE TABLE IF NOT EXISTS {table}_shards (shard integer PRIMARY KEY)`,
		`CREATE TABLE IF NOT EXISTS {table}_generation (one integer PRIMARY KEY CHECK (one = 1),
		generation bigint NOT NULL DEFAULT 0 CHECK (generation <= {maxGeneration}), place text NOT NULL DEFAULT '')`,
		`CREATE TABLE IF NOT EXISTS {table}_failed (id bigint PRIMARY KEY, ` + row + `, failed_at bigint NOT NULL, error text NOT NULL)`,
	}
}

// mariadbSchema compares names and keys by bytes.
func mariadbSchema() []string {
	const row = `shard INT NOT NULL, entity VARBINARY(63) NOT NULL, op VARBINARY(16) NOT NULL, entity_key VARBINARY(1024) NOT NULL,
		version BIGINT NOT NULL, event_id VARBINARY(1024) NOT NULL, content_type VARBINARY(1024) NOT NULL,
		header LONGBLOB NOT NULL, payload LONGBLOB NOT NULL, enqueued_at BIGINT NOT NULL`
	return []string{
		`CREATE TABLE IF NOT EXISTS {table} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, ` + row + `,
		INDEX {bare}_shard (shard, id)) ENGINE = InnoDB`,
		`CREATE TABLE IF NOT EXISTS {table}_versions (entity VARBINARY(63) NOT NULL, entity_key VARBINARY(1024) NOT NULL,
		version BIGINT NOT NULL CHECK (version <= {maxVersion}), PRIMARY KEY (entity, entity_key)) ENGINE = InnoDB`,
		`CREATE TABLE IF NOT EXISTS {table}_shards (shard INT NOT NULL PRIMARY KEY) ENGINE = InnoDB`,
		`CREATE TABLE IF NOT EXISTS {table}_generation (one INT NOT NULL PRIMARY KEY CHECK (one = 1),
		generation BIGINT NOT NULL DEFAULT 0 CHECK (generation <= {maxGeneration})) ENGINE = InnoDB`,
		`CREATE TABLE IF NOT EXISTS {table}_failed (id BIGINT NOT NULL PRIMARY KEY, ` + row + `,
		failed_at BIGINT NOT NULL, error LONGTEXT CHARACTER SET utf8mb4 NOT NULL) ENGINE = InnoDB`,
	}
}

// sqliteSchema: AUTOINCREMENT, as an id that was used again could be deleted by
// a relay that had published the row which had it before.
func sqliteSchema() []string {
	const row = `shard INTEGER NOT NULL, entity TEXT NOT NULL, op TEXT NOT NULL, entity_key TEXT NOT NULL,
		version INTEGER NOT NULL, event_id TEXT NOT NULL, content_type TEXT NOT NULL, header TEXT NOT NULL,
		payload BLOB NOT NULL, enqueued_at INTEGER NOT NULL`
	return []string{
		`CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, ` + row + `)`,
		`CREATE INDEX IF NOT EXISTS {bare}_shard ON {table} (shard, id)`,
		`CREATE TABLE IF NOT EXISTS {table}_versions (entity TEXT NOT NULL, entity_key TEXT NOT NULL,
		version INTEGER NOT NULL CHECK (version <= {maxVersion}), PRIMARY KEY (entity, entity_key)) WITHOUT ROWID`,
		`CREATE TABLE IF NOT EXISTS {table}_shards (shard INTEGER PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', held_until INTEGER NOT NULL DEFAULT 0)`,
		`CREATE TABLE IF NOT EXISTS {table}_generation (one INTEGER PRIMARY KEY CHECK (one = 1),
		generation INTEGER NOT NULL DEFAULT 0 CHECK (generation <= {maxGeneration}))`,
		`CREATE TABLE IF NOT EXISTS {table}_failed (id INTEGER PRIMARY KEY, ` + row + `, failed_at INTEGER NOT NULL, error TEXT NOT NULL)`,
	}
}
