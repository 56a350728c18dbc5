package inbox

import (
	"fmt"

	"github.com/replhub/replhub/database"
)

// statements are the inbox's, as text for one dialect and table.
type statements struct {
	create string
	// upsert writes a row if it is new or wins by Newest; else it affects none.
	// Arguments: those of record.args. MariaDB has none: it lacks a condition
	// on the whole update.
	upsert string
	// lock takes the row's lock and returns its stamp; where there is no row it
	// puts one without a stamp. Arguments: entity, key, applied_at.
	lock string
	// write replaces a locked row. Arguments: those of record.args from epoch
	// on, then entity and key.
	write string
	// read returns a row's stamp. Arguments: entity, key.
	read  string
	purge string
}

// recordColumns is how many columns the inbox's table has.
const recordColumns = 9

// The stamp's columns, in the order in which they are read and written.
const stampColumns = "epoch, seq, origin, version, event_at, deleted"

func newStatements(d database.Dialect, table string) (statements, error) {
	t, err := d.QuotePath(table)
	if err != nil {
		return statements{}, err
	}
	return statements{
		create: createStatement(d, t),
		upsert: upsertStatement(d, t),
		lock:   lockStatement(d, t),
		write: fmt.Sprintf("UPDATE %s SET epoch = %s, seq = %s, origin = %s, version = %s, event_at = %s, deleted = %s, applied_at = %s"+
			" WHERE entity = %s AND entity_key = %s", append([]any{t}, parameters(d, 9)...)...),
		read: fmt.Sprintf("SELECT "+stampColumns+" FROM %s WHERE entity = %s AND entity_key = %s",
			append([]any{t}, parameters(d, 2)...)...),
		purge: fmt.Sprintf("DELETE FROM %s WHERE deleted AND applied_at < %s", t, d.Parameter(1)),
	}, nil
}

func parameters(d database.Dialect, n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = d.Parameter(i + 1)
	}
	return all
}

// createStatement makes the table. Keys are bytes, so that no collation takes
// two for one. Times are numbers, which every driver reads as it wrote them.
func createStatement(d database.Dialect, table string) string {
	entity, key, origin, options := `text COLLATE "C"`, "bytea", `text COLLATE "C"`, ` WITH (fillfactor = 80)` // room for updates in place
	switch d {
	case database.MariaDB:
		const name = "varchar(%d) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
		entity, origin = fmt.Sprintf(name, longestEntity), fmt.Sprintf(name, longestOrigin)
		key, options = fmt.Sprintf("varbinary(%d)", MaxKey), " ENGINE = InnoDB"
	case database.SQLite:
		entity, key, origin, options = "text", "blob", "text", " WITHOUT ROWID"
	case database.Postgres:
	}
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
	entity %s NOT NULL,
	entity_key %s NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	origin %s NOT NULL,
	version bigint NOT NULL,
	event_at bigint NOT NULL,
	deleted boolean NOT NULL,
	applied_at bigint NOT NULL,
	PRIMARY KEY (entity, entity_key)
)%s`, table, entity, key, origin, options)
}

// upsertStatement is Newest and keepVersion in SQL.
func upsertStatement(d database.Dialect, table string) string {
	if d == database.MariaDB {
		return ""
	}
	return fmt.Sprintf(`INSERT INTO %s AS r (entity, entity_key, `+stampColumns+`, applied_at) VALUES (%s)
ON CONFLICT (entity, entity_key) DO UPDATE SET
	epoch = excluded.epoch, seq = excluded.seq, origin = excluded.origin,
	version = CASE WHEN excluded.version = 0 AND excluded.origin = r.origin THEN r.version ELSE excluded.version END,
	event_at = excluded.event_at, deleted = excluded.deleted, applied_at = excluded.applied_at
WHERE CASE WHEN excluded.origin = r.origin AND excluded.version > 0 AND r.version > 0 THEN excluded.version > r.version
	ELSE excluded.epoch > r.epoch OR (excluded.epoch = r.epoch AND excluded.seq > r.seq) END`, table, d.Parameters(1, recordColumns))
}

func lockStatement(d database.Dialect, table string) string {
	conflict := "ON CONFLICT (entity, entity_key) DO UPDATE SET entity = excluded.entity"
	if d == database.MariaDB {
		conflict = "ON DUPLICATE KEY UPDATE entity = VALUES(entity)"
	}
	return fmt.Sprintf("INSERT INTO %s (entity, entity_key, "+stampColumns+", applied_at) VALUES (%s, %s, 0, 0, '', 0, 0, FALSE, %s) %s RETURNING "+stampColumns,
		append(append([]any{table}, parameters(d, 3)...), conflict)...)
}
