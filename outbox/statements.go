package outbox

import (
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
)

// statements are the SQL that differs between dialects or repeats. All rows
// have the columns named by columns.
type statements struct {
	// version raises a key's version and keeps its row locked until the
	// transaction ends; empty where insertKeyed does so itself.
	version     string
	insertKeyed string
	insert      string // of an event without a key
	withWork    string // shards that have rows
	depth       string // rows, the oldest one's time, and events set aside
	deleteRows  func(gone []row) (statement string, args []any)
	// lockFailed returns those of some events set aside that no other transaction has
	// locked, and locks them; deleteFailed deletes such.
	lockFailed, deleteFailed func(ids []int64) string

	// behind reads the first rows of some shards, each behind an id, and one row
	// without an id that has the snapshot; shardsBehind are the shards that have such,
	// and the lowest id of each. Both are of PostgreSQL.
	behind       string
	shardsBehind string
	// plan is an expression that has the later statements of a transaction planned for
	// an index in which most entries are of deleted rows, as it is while a transaction
	// is held open. PostgreSQL expects much work of a scan of it then: it compiled each
	// look to machine code, which takes some ten to some hundred milliseconds, and read
	// the whole table instead.
	plan string
	// planned is a statement of its own that evaluates plan.
	planned string

	// lead reads the shards of the first rows of all, up to a number that follows;
	// shards are all shards that there are. Both are of MariaDB: see lead.go.
	lead   string
	shards string

	generation    string // the one in force
	newGeneration string // begins another; a condition may follow
	settle        string // records the first place
	place         string // an expression for where the tables lie; empty where the database has none
}

// columns of a row as it is inserted; its id is the database's.
const columns = "shard, entity, op, entity_key, version, event_id, content_type, header, payload, enqueued_at"

func statementsFor(cfg Config) statements {
	s := statements{
		withWork: fmt.Sprintf("SELECT s.shard FROM %[1]s_shards s WHERE EXISTS (SELECT 1 FROM %[1]s o WHERE o.shard = s.shard) ORDER BY s.shard", cfg.Table),
		depth: fmt.Sprintf("SELECT (SELECT COUNT(*) FROM %[1]s), COALESCE((SELECT enqueued_at FROM %[1]s ORDER BY id LIMIT 1), 0), "+
			"(SELECT COUNT(*) FROM %[1]s_failed), (SELECT generation FROM %[1]s_generation)", cfg.Table),
		generation: fmt.Sprintf("SELECT generation FROM %s_generation", cfg.Table),
	}
	failed := cfg.Table + "_failed"
	s.lockFailed = func(ids []int64) string {
		lock := " FOR UPDATE SKIP LOCKED"
		if cfg.Dialect == database.SQLite {
			lock = "" // it has one writer at a time
		}
		return fmt.Sprintf("SELECT id FROM %s WHERE id IN (%s) ORDER BY id%s", failed, list(ids), lock)
	}
	s.deleteFailed = func(ids []int64) string { return fmt.Sprintf("DELETE FROM %s WHERE id IN (%s)", failed, list(ids)) }
	s.newGeneration = fmt.Sprintf("UPDATE %s_generation SET generation = ", cfg.Table) + laterGeneration(cfg.Dialect)
	if cfg.Dialect == database.Postgres {
		s.forPostgres(cfg)
		return s
	}
	raise, within := "ON CONFLICT (entity, entity_key) DO UPDATE SET version = max(version + 1, excluded.version)", ""
	if cfg.Dialect == database.MariaDB {
		raise = "ON DUPLICATE KEY UPDATE version = GREATEST(version + 1, VALUES(version))"
		// A transaction that the server has rolled back is one to the client still:
		// what it does now would be committed statement by statement.
		within = " AND (@@in_transaction = 1 OR @@autocommit = 0)"
	}
	s.version = fmt.Sprintf("INSERT INTO %s_versions (entity, entity_key, version) SELECT ?, ?, ? FROM (SELECT 1) one WHERE true%s %s", cfg.Table, within, raise)
	s.insertKeyed = fmt.Sprintf("INSERT INTO %[1]s (%[2]s) VALUES (?, ?, ?, ?, "+
		"(SELECT version FROM %[1]s_versions WHERE entity = ? AND entity_key = ?), ?, ?, ?, ?, ?)", cfg.Table, columns)
	s.insert = fmt.Sprintf("INSERT INTO %s (%s) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM (SELECT 1) one WHERE true%s", cfg.Table, columns, within)
	s.deleteRows = func(gone []row) (string, []any) {
		return fmt.Sprintf("DELETE FROM %s WHERE id IN (%s)", cfg.Table, list(idsOf(gone))), nil
	}
	s.plan = "''"
	s.planned = "SELECT ''"
	if cfg.Dialect == database.MariaDB {
		s.lead = fmt.Sprintf("SELECT shard FROM %s FORCE INDEX (PRIMARY) ORDER BY id LIMIT ", cfg.Table)
		s.shards = fmt.Sprintf("SELECT shard FROM %s_shards ORDER BY shard", cfg.Table)
		s.deleteRows = func(gone []row) (string, []any) { return deleteFromMariaDB(cfg.Table, list(idsOf(gone))), nil }
		s.deleteFailed = func(ids []int64) string { return deleteFromMariaDB(failed, list(ids)) }
		s.lockFailed = func(ids []int64) string {
			return fmt.Sprintf("SELECT o.id %s FOR UPDATE SKIP LOCKED", lookedUp(failed, list(ids)))
		}
	}
	return s
}

// deleteFromMariaDB looks each row up. With a list of ids behind IN, MariaDB may read
// the whole table instead, and wait at the first row that a transaction has enqueued
// and not committed. The ids are digits of our own: without arguments MariaDB's
// driver needs one round trip instead of three.
func deleteFromMariaDB(table, ids string) string {
	return "DELETE FROM o USING " + strings.TrimPrefix(lookedUp(table, ids), "FROM ")
}

// lookedUp are the rows "o" of some ids, each looked up.
func lookedUp(table, ids string) string {
	return fmt.Sprintf("FROM JSON_TABLE('[%s]', '$[*]' COLUMNS (id BIGINT PATH '$')) AS gone "+
		"STRAIGHT_JOIN %s AS o FORCE INDEX (PRIMARY) ON o.id = gone.id", ids, table)
}

func (s *statements) forPostgres(cfg Config) {
	s.settle = fmt.Sprintf("UPDATE %s_generation SET place = $1 WHERE place = $2", cfg.Table)
	// The cluster, its timeline, and the table: a restore changes at least one.
	s.place = fmt.Sprintf("concat_ws('/', (SELECT system_identifier FROM pg_control_system()), "+
		"substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), to_regclass('%s_versions')::oid)", cfg.Table)
	s.behind = fmt.Sprintf("SELECT 0::bigint, 0, pg_current_snapshot()::text, '', '', 0::bigint, '', '', '', ''::bytea "+
		"UNION ALL (SELECT %[1]s FROM unnest($1::text::integer[], $2::text::bigint[]) AS f(at, last) "+
		"CROSS JOIN LATERAL (SELECT %[1]s FROM %[2]s WHERE shard = f.at AND id > f.last ORDER BY id LIMIT $3::integer) r ORDER BY r.id LIMIT $3::integer)", rowColumns, cfg.Table)
	// Of a table of which it knows nothing, as of the shards', PostgreSQL expects
	// thousands of rows: the limit says that there are no more than hundreds.
	s.shardsBehind = fmt.Sprintf("SELECT -1, 0::bigint, pg_current_snapshot()::text UNION ALL "+
		"(SELECT s.shard, r.id, '' FROM (SELECT shard FROM %[1]s_shards ORDER BY shard LIMIT %[2]d) s "+
		"LEFT JOIN unnest($1::text::bigint[]) WITH ORDINALITY f(id, n) ON f.n = s.shard + 1 "+
		"CROSS JOIN LATERAL (SELECT o.id FROM %[1]s o WHERE o.shard = s.shard AND o.id > COALESCE(f.id, 0) ORDER BY o.id LIMIT 1) r)", cfg.Table, maxShards)
	s.plan = "set_config('jit', 'off', true) || set_config('enable_seqscan', 'off', true)"
	s.planned = "SELECT " + s.plan
	// The row comes out of "v", so that its id is drawn after the version's lock
	// was got: drawn before, a transaction that waited would insert a newer
	// version under a lower id.
	s.insertKeyed = fmt.Sprintf("WITH v AS (INSERT INTO %[1]s_versions AS old (entity, entity_key, version) "+
		"VALUES ($2::text, $4::text, GREATEST(1, $5::bigint)) "+
		"ON CONFLICT (entity, entity_key) DO UPDATE SET version = GREATEST(old.version + 1, EXCLUDED.version) RETURNING version) "+
		"INSERT INTO %[1]s (%[2]s) SELECT $1::integer, $2::text, $3::text, $4::text, v.version, $6::text, $7::text, $8::text, $9::bytea, $10::bigint FROM v",
		cfg.Table, columns)
	// The same for the transaction's own number: horizon.go counts on it.
	s.insert = fmt.Sprintf("WITH x AS MATERIALIZED (SELECT pg_current_xact_id() AS id) INSERT INTO %[1]s (%[2]s) "+
		"SELECT $1::integer, $2::text, $3::text, $4::text, $5::bigint, $6::text, $7::text, $8::text, $9::bytea, $10::bigint FROM x WHERE x.id IS NOT NULL", cfg.Table, columns)
	// Each row is looked up, by shard and id, so that either index serves. For a list
	// of ids PostgreSQL took the index of shards where the table was empty as it was
	// analysed, which it reads whole for each id.
	s.deleteRows = func(gone []row) (string, []any) {
		shards := make([]int, len(gone))
		for n := range gone {
			shards[n] = gone[n].shard
		}
		return fmt.Sprintf("DELETE FROM %[1]s WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM unnest($1::text::integer[], $2::text::bigint[]) AS gone(shard, id) "+
				"CROSS JOIN LATERAL (SELECT ctid FROM %[1]s WHERE shard = gone.shard AND id = gone.id LIMIT 1) r))", cfg.Table),
			[]any{"{" + list(shards) + "}", "{" + list(idsOf(gone)) + "}"}
	}
}

func idsOf(rows []row) []int64 {
	ids := make([]int64, len(rows))
	for n := range rows {
		ids[n] = rows[n].id
	}
	return ids
}

// laterGeneration is greater than the last generation, and than those before an
// hour ago.
func laterGeneration(d database.Dialect) string {
	const since = 1767225600 // 2026-01-01 in seconds
	switch d {
	case database.Postgres:
		return fmt.Sprintf("GREATEST(generation + 1, (floor(extract(epoch FROM now())) - %d)::bigint / 3600)", since)
	case database.MariaDB:
		return fmt.Sprintf("GREATEST(generation + 1, (UNIX_TIMESTAMP() - %d) DIV 3600)", since)
	default:
		return fmt.Sprintf("max(generation + 1, (CAST(strftime('%%s', 'now') AS INTEGER) - %d) / 3600)", since)
	}
}
