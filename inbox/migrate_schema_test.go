package inbox_test

import (
	"database/sql"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// On PostgreSQL, a service with a schema of its own gets tables of its own, although the
// search path has another service's tables in a schema behind it.
func TestMigrateInASchemaOfItsOwn(t *testing.T) {
	t.Parallel()
	dsn := sqltest.Postgres(t)
	open := func(dsn string) *sql.DB {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	in, err := inbox.New(inbox.Config{Dialect: database.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	public := open(dsn)
	if err := in.Migrate(t.Context(), public); err != nil {
		t.Fatal(err)
	}
	if _, err := public.ExecContext(t.Context(), "CREATE SCHEMA tenant"); err != nil {
		t.Fatal(err)
	}
	tenant := open(dsn + " search_path=tenant,public")
	for range 2 { // the second finds the tables of the first
		if err := in.Migrate(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	var own int
	err = tenant.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'tenant' AND tablename = 'replhub_inbox'").Scan(&own)
	if err != nil || own != 1 {
		t.Errorf("%d tables of its own, %v", own, err)
	}
}
