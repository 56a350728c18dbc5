package inbox

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/replhub/replhub/database"
)

// statements are the inbox's, as text for one dialect and table.
type statements struct {
	create string
	// upsert writes a row if it is new or wins by Newest; else it affects none.
	// upsertRow does so for rows of snapshots. Arguments: those of record.args.
	// MariaDB has neither: it lacks a condition on the whole update.
	upsert, upsertRow string
	// lock takes the row's lock and returns its stamp; where there is no row it
	// puts one without a stamp. Arguments: entity, key, applied_at.
	lock string
	// write replaces a locked row. Arguments: those of record.args from epoch
	// on, then entity and key.
	write string
	// read returns a row's stamp. Arguments: entity, key.
	read string
	// tombstones are those of Purge.
	tombstones purgeStatements

	// lockFile locks SQLite's file for writing, and writes nothing.
	lockFile string
	// lockKeys locks rows and returns their keys and stamps. Arguments: entity, keys;
	// on PostgreSQL they are one array, else the two %s are the entity and the list. The
	// locks are taken in the order of the keys.
	lockKeys string
	// makeRows writes rows that are not there and leaves those that are;
	// overwriteRows writes over those that are there. Their %s is a rowSource.
	makeRows, overwriteRows string

	// readKeys is lockKeys without locks.
	readKeys string
	// guardMany and guardManyRows are upsert and upsertRow for many rows, for a
	// guardedBatch; MariaDB has neither.
	guardMany, guardManyRows string
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
		create:    createStatement(d, t),
		upsert:    upsertStatement(d, t, false),
		upsertRow: upsertStatement(d, t, true),
		lock:      lockStatement(d, t),
		write: fmt.Sprintf("UPDATE %s SET epoch = %s, seq = %s, origin = %s, version = %s, event_at = %s, deleted = %s, applied_at = %s"+
			" WHERE entity = %s AND entity_key = %s", append([]any{t}, parameters(d, 9)...)...),
		read: fmt.Sprintf("SELECT "+stampColumns+" FROM %s WHERE entity = %s AND entity_key = %s",
			append([]any{t}, parameters(d, 2)...)...),
		tombstones: newPurgeStatements(d, t),

		lockFile:      fmt.Sprintf("UPDATE %s SET seq = seq WHERE FALSE", t),
		lockKeys:      keysStatement(d, t, " FOR UPDATE"),
		makeRows:      makeRowsStatement(d, t),
		overwriteRows: overwriteRowsStatement(d, t),

		readKeys:      keysStatement(d, t, ""),
		guardMany:     guardManyStatement(d, t, false),
		guardManyRows: guardManyStatement(d, t, true),
	}, nil
}

// recordCasts are the types of the inbox's columns on PostgreSQL.
func recordCasts() []string {
	const number = "bigint"
	return []string{"text", "bytea", number, number, "text", number, number, "boolean", number}
}

const recordNames = "entity, entity_key, " + stampColumns + ", applied_at"

// keysStatement takes its locks, if it takes any, in the order of keys. On
// PostgreSQL it looks for each key by itself: a plan for a list, made while the
// table was empty and kept with the prepared statement, reads the whole table later
// on. The lock, or the limit in its place, keeps the plan so.
func keysStatement(d database.Dialect, table, lock string) string {
	if d == database.Postgres {
		if lock == "" {
			lock = " LIMIT 1"
		}
		return "SELECT entity_key, " + stampColumns + " FROM unnest($2::text::bytea[]) AS k(key) CROSS JOIN LATERAL (SELECT entity_key, " + stampColumns +
			" FROM " + table + " WHERE entity = $1 AND entity_key = k.key" + lock + ") r"
	}
	if d == database.MariaDB {
		return "SELECT r.entity_key, r.epoch, r.seq, r.origin, r.version, r.event_at, r.deleted FROM JSON_TABLE('[%[2]s]', '$[*]' COLUMNS (hex VARCHAR(" +
			strconv.Itoa(2*MaxKey) + ") PATH '$')) AS k STRAIGHT_JOIN " + escaped(table) + " AS r FORCE INDEX (PRIMARY) ON r.entity = %[1]s AND r.entity_key = UNHEX(k.hex)" + lock
	}
	return "SELECT entity_key, " + stampColumns + " FROM " + escaped(table) + " WHERE entity = %s AND entity_key IN (%s)"
}

func makeRowsStatement(d database.Dialect, table string) string {
	if d == database.MariaDB {
		return "INSERT IGNORE INTO " + escaped(table) + " (" + recordNames + ") %s"
	}
	return "INSERT INTO " + escaped(table) + " (" + recordNames + ") %s ON CONFLICT (entity, entity_key) DO NOTHING"
}

func overwriteRowsStatement(d database.Dialect, table string) string {
	const conflict = "ON CONFLICT (entity, entity_key) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, origin = excluded.origin," +
		" version = excluded.version, event_at = excluded.event_at, deleted = excluded.deleted, applied_at = excluded.applied_at"
	const duplicate = "ON DUPLICATE KEY UPDATE epoch = VALUES(epoch), seq = VALUES(seq), origin = VALUES(origin)," +
		" version = VALUES(version), event_at = VALUES(event_at), deleted = VALUES(deleted), applied_at = VALUES(applied_at)"
	if d == database.MariaDB {
		return "INSERT INTO " + escaped(table) + " (" + recordNames + ") %s " + duplicate
	}
	return "INSERT INTO " + escaped(table) + " (" + recordNames + ") %s " + conflict
}

// escaped is a name in the format of a Sprintf.
func escaped(name string) string { return strings.ReplaceAll(name, "%", "%%") }

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

// upsertFor is the statement that writes r.
func (s statements) upsertFor(r record) string {
	if r.ofSnapshot {
		return s.upsertRow
	}
	return s.upsert
}

// upsertStatement is Newest and keepVersion in SQL; for the row of a snapshot
// renews and merged as well.
func upsertStatement(d database.Dialect, table string, ofSnapshot bool) string {
	if d == database.MariaDB {
		return ""
	}
	return "INSERT INTO " + table + " AS r (entity, entity_key, " + stampColumns + ", applied_at) VALUES (" + d.Parameters(1, recordColumns) + ")\n" +
		onNewerStamp(ofSnapshot)
}

// onNewerStamp follows an INSERT of any number of rows into the inbox's table,
// known as r.
func onNewerStamp(ofSnapshot bool) string {
	const (
		byVersion = "excluded.origin = r.origin AND excluded.version > 0 AND r.version > 0"
		inPlace   = "(excluded.epoch, excluded.seq)"
		position  = "epoch = excluded.epoch, seq = excluded.seq, event_at = excluded.event_at"
		greatest  = "epoch = CASE WHEN " + inPlace + " > (r.epoch, r.seq) THEN excluded.epoch ELSE r.epoch END,\n\t" +
			"seq = CASE WHEN " + inPlace + " > (r.epoch, r.seq) THEN excluded.seq ELSE r.seq END,\n\t" +
			"event_at = CASE WHEN excluded.event_at > r.event_at THEN excluded.event_at ELSE r.event_at END"
	)
	at, newerVersion, newerPosition := position, "excluded.version > r.version", inPlace+" > (r.epoch, r.seq)"
	if ofSnapshot {
		at = greatest
		const over = " AND (excluded.deleted OR NOT r.deleted))"
		newerVersion += " OR (excluded.version = r.version" + over
		newerPosition += " OR (" + inPlace + " = (r.epoch, r.seq)" + over
	}
	return `ON CONFLICT (entity, entity_key) DO UPDATE SET
	` + at + `,
	origin = excluded.origin, deleted = excluded.deleted, applied_at = excluded.applied_at,
	version = CASE WHEN excluded.version = 0 AND excluded.origin = r.origin THEN r.version ELSE excluded.version END
WHERE CASE WHEN ` + byVersion + ` THEN ` + newerVersion + ` ELSE ` + newerPosition + ` END`
}

func lockStatement(d database.Dialect, table string) string {
	conflict := "ON CONFLICT (entity, entity_key) DO UPDATE SET entity = excluded.entity"
	if d == database.MariaDB {
		conflict = "ON DUPLICATE KEY UPDATE entity = VALUES(entity)"
	}
	return fmt.Sprintf("INSERT INTO %s (entity, entity_key, "+stampColumns+", applied_at) VALUES (%s, %s, 0, 0, '', 0, 0, FALSE, %s) %s RETURNING "+stampColumns,
		append(append([]any{table}, parameters(d, 3)...), conflict)...)
}
