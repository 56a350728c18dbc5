package main

import (
	"database/sql"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of a service on PostgreSQL
	"github.com/replhub/replhub/database"
	_ "modernc.org/sqlite"
)

// openDatabase opens what DATABASE_URL names, else a file. Both take the same
// statements; only driver and dialect differ.
func openDatabase(dir string) (*sql.DB, database.Dialect, error) {
	if url := os.Getenv("DATABASE_URL"); url != "" {
		db, err := sql.Open("pgx", url)
		return db, database.Postgres, err
	}
	file := filepath.Join(dir, "user-profile.db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_txlock=immediate")
	return db, database.SQLite, err
}
