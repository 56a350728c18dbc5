package sqltest_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqltest.Main(m)) }

// Each call gives an empty database that keeps what is put into it.
func TestDatabases(t *testing.T) {
	for _, c := range []struct {
		driver string
		dsn    func(testing.TB) string
	}{
		{"pgx", sqltest.Postgres},
		{"mysql", sqltest.MariaDB},
		{"sqlite", sqltest.SQLite},
	} {
		t.Run(c.driver, func(t *testing.T) {
			for range 2 {
				db, err := sql.Open(c.driver, c.dsn(t))
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				// A second database that was the first would refuse the table.
				for _, statement := range []string{"CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (42)"} {
					if _, err := db.ExecContext(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
				var n int
				if err := db.QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 42 {
					t.Fatalf("got %d, %v", n, err)
				}
			}
		})
	}
}

// The two MariaDBs differ by snapshot isolation, whatever the server has by default.
func TestSnapshotIsolation(t *testing.T) {
	for want, dsn := range []func(testing.TB) string{sqltest.MariaDB, sqltest.MariaDBSnapshot} {
		db, err := sql.Open("mysql", dsn(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var on int
		if err := db.QueryRowContext(t.Context(), "SELECT @@innodb_snapshot_isolation").Scan(&on); err != nil || on != want {
			t.Errorf("%d, %v, want %d", on, err, want)
		}
	}
}
