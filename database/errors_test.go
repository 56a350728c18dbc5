package database_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// provoked is an error, as a real database gives it, and its class. Its name may
// begin with the code that the error must have.
type provoked struct {
	name    string
	class   database.Class
	provoke func() error
}

// code is what the name says; empty when that begins with a word.
func (p provoked) code() string {
	code, _, _ := strings.Cut(p.name, " ")
	if strings.ToUpper(code) != code || !strings.ContainsAny(code, "0123456789") {
		return ""
	}
	return code
}

// classify provokes errors and looks at their classes: as they are, wrapped, and
// wrapped without %w.
func classify(t *testing.T, cases []provoked) {
	t.Helper()
	for _, c := range cases {
		err := c.provoke()
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		if want := c.code(); want != "" && database.Code(err) != want {
			t.Errorf("%s: its code is %q: %v", c.name, database.Code(err), err)
		}
		if got := database.Classify(err); got != c.class {
			t.Errorf("%s: %s, want %s: %T %v", c.name, got, c.class, err, err)
		}
		if got := database.Classify(fmt.Errorf("inbox: %w", errors.Join(fmt.Errorf("effect: %w", err), errors.New("more")))); got != c.class {
			t.Errorf("%s, wrapped: %s, want %s: %v", c.name, got, c.class, err)
		}
	}
}

// exec is a statement that fails.
func exec(t *testing.T, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, statement string, args ...any,
) func() error {
	return func() error {
		_, err := db.ExecContext(t.Context(), statement, args...)
		return err
	}
}

func must(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func connection(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// crossed is the error of one of two transactions, begun by begin, each of which
// wants the row that the other has.
func crossed(t *testing.T, db *sql.DB, begin, lock string) func() error {
	return func() error {
		a, b := connection(t, db), connection(t, db)
		steps := []func() error{
			exec(t, a, begin), exec(t, b, begin), exec(t, a, fmt.Sprintf(lock, 1)), exec(t, b, fmt.Sprintf(lock, 2)),
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return fmt.Errorf("prepare: %w", err)
			}
		}
		other := make(chan error, 1)
		go func() {
			err := exec(t, a, fmt.Sprintf(lock, 2))()
			_, rollback := a.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK")
			other <- errors.Join(err, rollback)
		}()
		err := exec(t, b, fmt.Sprintf(lock, 1))()
		_, rollback := b.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK")
		return errors.Join(err, rollback, <-other)
	}
}

func TestClassifyWhatIsNoDatabases(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	classify(t, []provoked{
		{"refused", database.Unavailable, func() error { _, err := net.Dial("tcp", nobody); return err }},
		{"no socket", database.Unavailable, func() error { _, err := net.Dial("unix", t.TempDir()+"/none"); return err }},
		{"HTTP", database.Unavailable, func() error {
			r, err := http.Get("http://" + nobody)
			if err == nil {
				_ = r.Body.Close()
			}
			return err
		}},
		{"HTTP cut off", database.Unavailable, func() error { return &url.Error{Op: "Get", URL: "x", Err: io.EOF} }},
		{"deadline", database.Unavailable, func() error { <-late.Done(); return late.Err() }},
		{"bad connection", database.Unavailable, func() error { return driver.ErrBadConn }},
		{"closed connection", database.Unavailable, func() error { return sql.ErrConnDone }},
		{"words of a connection", database.Unavailable, func() error { return errors.New("dial tcp 10.0.0.5:5432: connect: connection refused") }},
		{"words with a state", database.Conflict, func() error { return errors.New("ERROR: deadlock detected (SQLSTATE 40P01)") }},
		{"words with a number", database.Invalid, func() error { return errors.New("Error 1406 (22001): Data too long for column 'name' at row 1") }},
		{"cut off", database.Unavailable, func() error { return io.ErrUnexpectedEOF }},
		{"the end", database.Unknown, func() error { return io.EOF }},
		{"cancelled", database.Unknown, func() error { return context.Canceled }},
		{"own", database.Unknown, func() error { return errors.New("no such tenant") }},
		{"marked", database.Invalid, func() error { return database.Mark(context.DeadlineExceeded, database.Invalid) }},
		{"marked as unknown", database.Unknown, func() error { return database.Mark(errors.New("connection refused"), database.Unknown) }},
	})
	if database.Classify(nil) != database.Unknown || database.Mark(nil, database.Invalid) != nil {
		t.Error("no error has a class")
	}
}

func openQuietly(driver, dsn string) (*sql.DB, error) { return sql.Open(driver, dsn) }

// classifyEnd looks at what a statement meets that is under way while its server
// ends, what the next one on its connection meets, and what a new connection does.
func classifyEnd(t *testing.T, server *sqltest.Server, driver, statement, name string, end func()) {
	t.Helper()
	db := open(t, driver, server.DSN())
	busy, idle := connection(t, db), connection(t, db)
	began := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		close(began)
		ended <- exec(t, busy, statement)()
	}()
	<-began
	for active := 0; active == 0; {
		query := "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
		if driver == "mysql" {
			query = "SELECT count(*) FROM information_schema.processlist WHERE command = 'Query' AND id <> CONNECTION_ID()"
		}
		if err := idle.QueryRowContext(t.Context(), query).Scan(&active); err != nil {
			t.Fatal(err)
		}
	}
	end()
	classify(t, []provoked{
		{name + ", under way", database.Unavailable, func() error { return <-ended }},
		{name + ", on a connection", database.Unavailable, func() error {
			for { // a process of the killed server's may answer once more
				if err := exec(t, idle, "SELECT 1")(); err != nil {
					return err
				}
			}
		}},
		{name + ", on a new connection", database.Unavailable, exec(t, db, "SELECT 1")},
		{name + ", beginning", database.Unavailable, func() error { _, err := db.BeginTx(t.Context(), nil); return err }},
	})
}
