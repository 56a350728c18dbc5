package database_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// onServer provokes errors on one database.
type onServer struct {
	*testing.T

	dialect     database.Dialect
	driver, dsn string
	db          *sql.DB
}

func newOnServer(t *testing.T, d database.Dialect, dsn string) *onServer {
	t.Helper()
	s := &onServer{T: t, dialect: d, driver: map[database.Dialect]string{database.Postgres: "pgx", database.MariaDB: "mysql", database.SQLite: "sqlite"}[d], dsn: dsn}
	s.db = open(t, s.driver, dsn)
	must(t, s.db,
		"CREATE TABLE t (id int PRIMARY KEY, name varchar(3) NOT NULL, n smallint CHECK (n > 0), u int UNIQUE, parent int, FOREIGN KEY (parent) REFERENCES t (id))",
		"INSERT INTO t VALUES (1, 'one', 1, 1, NULL), (2, 'two', 2, 2, 1)")
	return s
}

// exec is a statement on any connection.
func (s *onServer) exec(statement string, args ...any) func() error {
	return exec(s.T, s.db, statement, args...)
}

// alone runs statements up to the first that fails, on a connection that is used
// for nothing else.
func (s *onServer) alone(statements ...string) func() error {
	return func() (err error) {
		conn := s.own()
		defer s.end(conn)
		for _, statement := range statements {
			if err := exec(s.T, conn, statement)(); err != nil {
				return err
			}
		}
		return nil
	}
}

// beside runs statements, the last of which fails, while another connection is in
// a transaction with the first ones.
func (s *onServer) beside(open []string, statements ...string) func() error {
	return func() error {
		conn := s.own()
		defer s.end(conn)
		for _, statement := range append([]string{"BEGIN"}, open...) {
			if err := exec(s.T, conn, statement)(); err != nil {
				return fmt.Errorf("prepare: %v", err) //nolint:errorlint // its class is not the one that is asked for
			}
		}
		return s.alone(statements...)()
	}
}

// overtaken runs statements in a transaction, the last of which fails because of
// what others were committed before it.
func (s *onServer) overtaken(first []string, committed, last string) func() error {
	return func() error {
		conn := s.own()
		defer s.end(conn)
		for _, statement := range first {
			if err := exec(s.T, conn, statement)(); err != nil {
				return fmt.Errorf("prepare: %v", err) //nolint:errorlint // as above
			}
		}
		if err := s.exec(committed)(); err != nil {
			return fmt.Errorf("prepare: %v", err) //nolint:errorlint // as above
		}
		return exec(s.T, conn, last)()
	}
}

// connecting is what a connection meets with a data source that was changed.
func (s *onServer) connecting(old, changed string) func() error {
	return func() error {
		dsn := strings.Replace(s.dsn, old, changed, 1)
		if old == "" {
			dsn = s.dsn + " " + changed
		}
		return exec(s.T, open(s.T, s.driver, dsn), "SELECT 1")()
	}
}

func (s *onServer) own() *sql.Conn {
	s.Helper()
	return connection(s.T, s.db)
}

// end closes a connection with all that was set on it.
func (s *onServer) end(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// killed is the error of a statement that waits for a lock while it or its
// connection is ended by another: own asks for the connection's number, and waiting
// counts those with that number that wait.
func (s *onServer) killed(own, waiting, kill string) func() error {
	return func() error {
		holder, conn := s.own(), s.own()
		defer s.end(holder)
		var id int
		if err := errors.Join(exec(s.T, holder, "BEGIN")(), exec(s.T, holder, "UPDATE t SET u = u WHERE id = 1")(),
			conn.QueryRowContext(s.Context(), own).Scan(&id)); err != nil {
			return fmt.Errorf("prepare: %v", err) //nolint:errorlint // as above
		}
		ended := make(chan error, 1)
		go func() { ended <- exec(s.T, conn, "UPDATE t SET u = u WHERE id = 1")() }()
		for waits := 0; waits == 0; {
			if err := s.db.QueryRowContext(s.Context(), fmt.Sprintf(waiting, id)).Scan(&waits); err != nil {
				return fmt.Errorf("prepare: %v", err) //nolint:errorlint // as above
			}
		}
		return errors.Join(s.exec(fmt.Sprintf(kill, id))(), <-ended)
	}
}

// covered insists that each row of a dialect's tables was provoked, or is among
// those that are not: by other tests, or by nothing here, for the reason that stands
// beside the row.
func covered(t *testing.T, d database.Dialect, cases []provoked, not ...string) {
	t.Helper()
	missing := map[string]bool{}
	for _, row := range database.Rows(d) {
		missing[row] = true
	}
	for _, row := range not {
		if !missing[row] {
			t.Errorf("%s is no row", row)
		}
		delete(missing, row)
	}
	for _, c := range cases {
		row := database.RowOf(d, c.code())
		for _, other := range not {
			if row == other {
				t.Errorf("%s is provoked after all", row)
			}
		}
		delete(missing, row)
	}
	for row := range missing {
		t.Errorf("row %s is not provoked", row)
	}
}

// A class of errors that each database has in words of its own.
func alike(s *onServer) []provoked {
	var cases []provoked
	for _, c := range []struct {
		class                     database.Class
		statement                 string
		postgres, mariadb, sqlite string
	}{
		{database.Invalid, "INSERT INTO t VALUES (3, 'four', 1, NULL, NULL)", "22001", "1406", ""},
		{database.Invalid, "INSERT INTO t VALUES (3, 'x', 99999, NULL, NULL)", "22003", "1264", ""},
		{database.Invalid, "INSERT INTO t VALUES (3, 'x', 'many', NULL, NULL)", "22P02", "1366", ""},
		{database.Invalid, "INSERT INTO t VALUES (3, NULL, 1, NULL, NULL)", "23502", "1048", "1299"},
		{database.Invalid, "INSERT INTO t VALUES (3, 'x', 0, NULL, NULL)", "23514", "4025", "275"},
		{database.Waits, "INSERT INTO t VALUES (1, 'x', 1, NULL, NULL)", "23505", "1062", "1555"},
		{database.Waits, "INSERT INTO t VALUES (3, 'x', 1, 1, NULL)", "23505", "1062", "2067"},
		{database.Waits, "INSERT INTO t VALUES (3, 'x', 1, NULL, 42)", "23503", "1452", "787"},
		{database.Waits, "DELETE FROM t WHERE id = 1", "23503", "1451", "787"},
		{database.Unknown, "INSERT INTO none VALUES (1)", "42P01", "1146", "1"},
	} {
		code := map[database.Dialect]string{database.Postgres: c.postgres, database.MariaDB: c.mariadb, database.SQLite: c.sqlite}[s.dialect]
		if code != "" {
			cases = append(cases, provoked{code + " " + c.statement, c.class, s.exec(c.statement)})
		}
	}
	return cases
}

// standsStill is a server that answers nothing to who waits for it with a deadline.
func standsStill(t *testing.T, server *sqltest.Server, connect func() *sql.DB) provoked {
	return provoked{"stands still", database.Unavailable, func() error {
		defer server.Freeze()()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := connect().ExecContext(ctx, "SELECT 1")
		return err
	}}
}
