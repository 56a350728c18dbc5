package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/sqltest"
)

func TestClassifyMariaDB(t *testing.T) {
	dsn := sqltest.MariaDB(t)
	db := open(t, "mysql", dsn)
	must(t, db,
		"CREATE TABLE t (id int PRIMARY KEY, name varchar(3) NOT NULL, n smallint CHECK (n > 0), u int UNIQUE, parent int, FOREIGN KEY (parent) REFERENCES t (id))",
		"CREATE TABLE v (d datetime, j json, e enum ('a', 'b'), r int NOT NULL)",
		"INSERT INTO t VALUES (1, 'one', 1, 1, NULL), (2, 'two', 2, 2, 1)",
		"CREATE USER IF NOT EXISTS crowded@localhost WITH MAX_USER_CONNECTIONS 1", "GRANT ALL ON *.* TO crowded@localhost")
	insert := func(values string) func() error { return exec(t, db, "INSERT INTO t VALUES ("+values+")") }
	other := func(old, changed string) func() error {
		return exec(t, open(t, "mysql", strings.Replace(dsn, old, changed, 1)), "DO 1")
	}
	alone := func(statements ...string) func() error {
		return func() error {
			conn := connection(t, db)
			defer conn.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK") //nolint:errcheck // the next one would tell
			for _, statement := range statements {
				if err := exec(t, conn, statement)(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	classify(t, []provoked{
		{"1406", database.Invalid, insert("3, 'four', 1, NULL, NULL")},
		{"1264", database.Invalid, insert("3, 'x', 99999, NULL, NULL")},
		{"1366", database.Invalid, insert("3, 'x', 'many', NULL, NULL")},
		{"1366 of bytes", database.Invalid, insert("3, x'ff', 1, NULL, NULL")},
		{"1292", database.Invalid, exec(t, db, "INSERT INTO v (d, r) VALUES ('2026-02-31T00:00:00+02:00', 1)")},
		{"1265", database.Invalid, exec(t, db, "INSERT INTO v (e, r) VALUES ('c', 1)")},
		{"1690", database.Invalid, exec(t, db, "SELECT 9223372036854775807 + 1")},
		{"1048", database.Invalid, insert("3, NULL, 1, NULL, NULL")},
		{"1364", database.Invalid, exec(t, db, "INSERT INTO v (d) VALUES (NULL)")},
		{"4025", database.Invalid, insert("3, 'x', 0, NULL, NULL")},
		{"4025 of JSON", database.Invalid, exec(t, db, "INSERT INTO v (j, r) VALUES ('{', 1)")},
		{"the driver's refusal", database.Invalid, func() error {
			return exec(t, open(t, "mysql", dsn+"&maxAllowedPacket=1024"), "DO '"+strings.Repeat("x", 2048)+"'")()
		}},
		{"1062", database.Waits, insert("3, 'x', 1, 1, NULL")},
		{"1452", database.Waits, insert("3, 'x', 1, NULL, 42")},
		{"1451", database.Waits, exec(t, db, "DELETE FROM t WHERE id = 1")},
		{"1146", database.Unknown, exec(t, db, "INSERT INTO none VALUES (1)")},
		{"1644", database.Unknown, exec(t, db, "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'connection refused'")},
		{"1213", database.Conflict, crossed(t, db, "BEGIN", "UPDATE t SET u = u + 10 WHERE id = %d")},
		{"1205", database.Conflict, func() error {
			a := connection(t, db)
			prepare := errors.Join(exec(t, a, "BEGIN")(), exec(t, a, "SELECT * FROM t WHERE id = 1 FOR UPDATE")())
			return errors.Join(alone("BEGIN", "SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT")(), prepare, exec(t, a, "ROLLBACK")())
		}},
		{"1020", database.Conflict, func() error {
			a := connection(t, db)
			prepare := errors.Join(exec(t, a, "SET SESSION innodb_snapshot_isolation = ON")(), exec(t, a, "START TRANSACTION WITH CONSISTENT SNAPSHOT")(),
				exec(t, db, "UPDATE t SET u = u + 10 WHERE id = 1")())
			return errors.Join(exec(t, a, "UPDATE t SET u = u + 10 WHERE id = 1")(), prepare, exec(t, a, "ROLLBACK")(),
				exec(t, a, "SET SESSION innodb_snapshot_isolation = OFF")())
		}},
		{"1969", database.Conflict, alone("SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(10)")},
		{"1792", database.Unavailable, alone("START TRANSACTION READ ONLY", "UPDATE t SET u = 1")},
		{"1226", database.Unavailable, func() error {
			crowded := open(t, "mysql", strings.Replace(dsn, "root@", "crowded@", 1))
			connection(t, crowded)
			return exec(t, crowded, "DO 1")()
		}},
		{"1045", database.Unavailable, other("root@", "root:wrong@")},
		{"1049", database.Unavailable, other("/test", "/none")},
		{"a connection that is killed", database.Unavailable, func() error {
			return killed(t, db, "KILL CONNECTION %d")
		}},
		{"1317", database.Conflict, func() error { return killed(t, db, "KILL QUERY %d") }},
	})
}

// killed is the error of a statement that waits for a lock and is killed by
// another connection.
func killed(t *testing.T, db *sql.DB, kill string) error {
	holder, conn := connection(t, db), connection(t, db)
	defer exec(t, holder, "ROLLBACK")() //nolint:errcheck // the next one would tell
	var id int
	if err := errors.Join(exec(t, holder, "BEGIN")(), exec(t, holder, "UPDATE t SET u = u WHERE id = 1")(),
		conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id)); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- exec(t, conn, "UPDATE t SET u = u WHERE id = 1")() }()
	for waits := 0; waits == 0; {
		query := "SELECT count(*) FROM information_schema.processlist WHERE id = ? AND state = 'Updating'"
		if err := db.QueryRowContext(t.Context(), query, id).Scan(&waits); err != nil {
			return err
		}
	}
	return errors.Join(exec(t, db, fmt.Sprintf(kill, id))(), <-ended)
}

// A server's end, by each of its ways, while a statement is under way and right
// after it; one that has no connection left, and one that stands still.
func TestClassifyMariaDBThatEnds(t *testing.T) {
	server := sqltest.OwnMariaDB(t)
	db := open(t, "mysql", server.DSN())
	must(t, db, "SET GLOBAL max_connections = 10")
	classify(t, []provoked{
		{"1040", database.Unavailable, func() error {
			crowd := open(t, "mysql", server.DSN())
			for {
				conn, err := crowd.Conn(t.Context())
				if err != nil {
					return errors.Join(err, crowd.Close())
				}
				defer conn.Close()
			}
		}},
		{"stands still", database.Unavailable, func() error {
			defer server.Freeze()()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := db.ExecContext(ctx, "DO 1")
			return err
		}},
	})
	const statement = "SELECT BENCHMARK(1000000000, MD5('x'))"
	classifyEnd(t, server, "mysql", statement, "shutdown", func() { server.Stop(syscall.SIGTERM) })
	server.Start()
	classifyEnd(t, server, "mysql", statement, "kill -9", func() { server.Stop(syscall.SIGKILL) })
}
