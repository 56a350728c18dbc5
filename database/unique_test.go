package database_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func TestIsUnique(t *testing.T) {
	for _, tt := range []struct {
		name, driver string
		dsn          func(testing.TB) string
	}{{"pgx", "pgx", sqltest.Postgres}, {"mysql", "mysql", sqltest.MariaDB}, {"mysql-snapshot", "mysql", sqltest.MariaDBSnapshot}, {"sqlite", "sqlite", sqltest.SQLite}} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t, tt.driver, tt.dsn(t))
			db.SetMaxOpenConns(1)
			if tt.driver == "sqlite" {
				must(t, db, "PRAGMA foreign_keys = ON")
			}
			must(t, db, "CREATE TABLE u (id int PRIMARY KEY, v int UNIQUE, parent int, FOREIGN KEY (parent) REFERENCES u (id))",
				"INSERT INTO u VALUES (1, 1, NULL)")
			for statement, want := range map[string]bool{
				"INSERT INTO u VALUES (1, 2, NULL)": true,
				"INSERT INTO u VALUES (2, 1, NULL)": true,
				"INSERT INTO u VALUES (2, 2, 42)":   false,
				"INSERT INTO u VALUES (2":           false,
			} {
				checkUnique(t, db, statement, want)
			}
		})
	}
	if database.IsUnique(nil) || database.IsUnique(database.Mark(errors.New("UNIQUE constraint failed: t.c"), database.Invalid)) {
		t.Error("no error, or one of another class, is about a unique value")
	}
}

func checkUnique(t *testing.T, db *sql.DB, statement string, want bool) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement)
	forms := map[string]error{"as it is": err, "wrapped": fmt.Errorf("apply: %w", err), "joined": errors.Join(errors.New("x"), err)}
	if database.Classify(errors.New(err.Error())) == database.Waits { // not SQLite's
		forms["in words"] = errors.New(err.Error())
	}
	for form, err := range forms {
		if got := database.IsUnique(err); got != want {
			t.Errorf("%s, %s: %v of %v", statement, form, got, err)
		}
	}
}
