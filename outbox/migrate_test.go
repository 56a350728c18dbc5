package outbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

// shape lists the columns and indexes of the outbox's tables.
func (p *place) shape() []string {
	p.Helper()
	query := map[database.Dialect]string{
		database.Postgres: "SELECT table_name || '.' || column_name || ' ' || coalesce(column_default, '') FROM information_schema.columns WHERE table_name LIKE 'replhub%' " +
			"UNION ALL SELECT indexname FROM pg_indexes WHERE tablename LIKE 'replhub%'",
		database.MariaDB: "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME, ' ', COALESCE(COLUMN_DEFAULT, '')) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() " +
			"UNION ALL SELECT DISTINCT CONCAT(TABLE_NAME, ' ', INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()",
		database.SQLite: "SELECT m.name || '.' || c.name || ' ' || coalesce(c.dflt_value, '') FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name LIKE 'replhub%' " +
			"UNION ALL SELECT name FROM sqlite_master WHERE type = 'index'",
	}[p.Dialect]
	rows, err := p.db.QueryContext(p.Context(), query)
	if err != nil {
		p.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			p.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		p.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func (p *place) exec(statements ...string) {
	p.Helper()
	for _, s := range statements {
		if _, err := p.db.ExecContext(p.Context(), s); err != nil {
			p.Fatalf("%s: %v", s, err)
		}
	}
}

// The tables of the first version become the tables of this version, and keep their rows,
// also if several instances begin at once. So do tables of a version in between, which
// lack a column or an index. An instance of an older version continues meanwhile.
func TestMigrateFromTheFirstTables(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		want := p.shape()
		for _, table := range []string{"", "_versions", "_shards", "_failed", "_generation"} {
			p.exec("DROP TABLE replhub_outbox" + table)
		}
		first, err := os.ReadFile(filepath.Join("testdata", "first", p.String()+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		p.exec(strings.Split(strings.TrimSpace(strings.TrimSuffix(string(first), ";\n")), ";\n\n")...)
		older := func(id string) {
			const columns = "shard, entity, op, entity_key, version, event_id, content_type, header, payload, enqueued_at"
			values := "1, 'user', 'update', '" + id + "', 1, '" + id + "', '', '', '', 0"
			p.exec("INSERT INTO replhub_outbox ("+columns+") VALUES ("+values+")",
				"INSERT INTO replhub_outbox_versions (entity, entity_key, version) VALUES ('user', '"+id+"', 1)",
				"INSERT INTO replhub_outbox_failed (id, "+columns+", failed_at, error) SELECT count(*) + 1, "+values+", 0, '' FROM replhub_outbox_failed")
		}
		older("before")
		migrate := func() {
			t.Helper()
			var group errgroup.Group
			for range 3 {
				group.Go(func() error {
					box, err := outbox.New(outbox.Config{Dialect: p.Dialect})
					return errors.Join(err, box.Migrate(t.Context(), p.db))
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			if have := p.shape(); !slices.Equal(have, want) {
				t.Errorf("have %s\nwant %s", strings.Join(have, ", "), strings.Join(want, ", "))
			}
		}
		migrate()
		p.exec(map[database.Dialect][]string{
			database.Postgres: {"ALTER TABLE replhub_outbox_generation DROP COLUMN place", "DROP INDEX replhub_outbox_shard"},
			database.MariaDB:  {"ALTER TABLE replhub_outbox_generation DROP COLUMN generation", "DROP INDEX replhub_outbox_shard ON replhub_outbox"},
			database.SQLite:   {"ALTER TABLE replhub_outbox_shards DROP COLUMN held_until", "DROP INDEX replhub_outbox_shard"},
		}[p.Dialect]...)
		migrate()
		older("after")
		p.enqueue(user("new"))
		p.run(p.bus.client)
		p.bus.stored(3)
		p.emptied()
	})
}

// An instance that starts waits for no transaction that has enqueued, and for no relay
// that publishes a batch.
func TestMigrateWaitsForNobody(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		tx := p.begin()
		if err := p.box.Enqueue(t.Context(), tx, user("k")); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "SELECT shard FROM replhub_outbox_shards FOR UPDATE"); err != nil {
			t.Fatal(err)
		}
		if err := p.box.Migrate(p.soon(), p.db); err != nil {
			t.Error(err)
		}
	}, postgres, mariadb)
}
