package apply

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/replhub/replhub/database"
)

// target is the database that a DSN names.
type target struct {
	dialect database.Dialect
	// name is what may be shown: no DSN is, since it may hold a password.
	name string
	// file is that of SQLite; empty for the others.
	file string
	open func() (driver.Connector, error)
}

// errUnknownDSN leaves out what was given.
var errUnknownDSN = errors.New("the DSN names no known database: it must begin with postgres://, mysql://, mariadb://, sqlite: or file:, " +
	"or is libpq's host=… dbname=…, or user:password@tcp(host:port)/database")

// parseDSN tells which database a DSN names. Its errors do not show the DSN.
func parseDSN(dsn string) (target, error) {
	dsn = strings.TrimSpace(dsn)
	scheme, rest, isURL := strings.Cut(dsn, ":")
	switch scheme = strings.ToLower(scheme); {
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		return postgresTarget(dsn)
	case isURL && (scheme == "mysql" || scheme == "mariadb"):
		return mariadbURL(dsn)
	case isURL && scheme == "sqlite":
		return sqliteTarget(strings.TrimPrefix(rest, "//"))
	case isURL && scheme == "file":
		return sqliteTarget(strings.TrimPrefix(rest, "//"))
	case regexp.MustCompile(`^[^ =]*@?(tcp|unix)\(.*\)/`).MatchString(dsn), regexp.MustCompile(`^[^ ]*@(tcp|unix)\(.*\)/`).MatchString(dsn):
		return mariadbTarget(dsn)
	case regexp.MustCompile(`^[a-z_]+ *=`).MatchString(dsn):
		return postgresTarget(dsn)
	default:
		return target{}, errUnknownDSN
	}
}

func postgresTarget(dsn string) (target, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return target{}, errors.New("the DSN is not valid for PostgreSQL: " + hidden(err, dsn))
	}
	return target{
		dialect: database.Postgres, name: fmt.Sprintf("PostgreSQL database %s at %s", cfg.Database, cfg.Host),
		open: func() (driver.Connector, error) { return stdlib.GetConnector(*cfg), nil },
	}, nil
}

// mariadbURL takes a URL apart: go-sql-driver has a form of its own.
func mariadbURL(dsn string) (target, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return target{}, errors.New("the DSN is not the URL of a MariaDB database: it must be mysql://user:password@host:port/database, with characters such as @ and / in the password as %40 and %2F")
	}
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.Net, cfg.Addr = "tcp", u.Host
	if u.Port() == "" {
		cfg.Addr = u.Host + ":3306"
	}
	cfg.DBName = strings.Trim(u.Path, "/")
	if u.RawQuery == "" {
		return mariadbConfig(cfg)
	}
	return mariadbTarget(cfg.FormatDSN() + joint(cfg.FormatDSN()) + u.RawQuery)
}

func joint(dsn string) string {
	if strings.Contains(dsn[strings.LastIndex(dsn, "/"):], "?") {
		return "&"
	}
	return "?"
}

func mariadbTarget(dsn string) (target, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return target{}, errors.New("the DSN is not valid for MariaDB: " + hidden(err, dsn))
	}
	return mariadbConfig(cfg)
}

func mariadbConfig(cfg *mysql.Config) (target, error) {
	cfg.Logger = &mysql.NopLogger{} // what it logs comes back as errors, too
	return target{
		dialect: database.MariaDB, name: fmt.Sprintf("MariaDB database %s at %s", cfg.DBName, cfg.Addr),
		open: func() (driver.Connector, error) { return mysql.NewConnector(cfg) },
	}, nil
}

// sqliteTarget adds what several connections to one file need, unless the DSN says it
// itself.
func sqliteTarget(path string) (target, error) {
	file, query, _ := strings.Cut(path, "?")
	if file == "" || strings.Contains(file, ":memory:") {
		return target{}, errors.New("the DSN names no file of SQLite: it must be sqlite:path/to/file.db")
	}
	for _, add := range []struct{ unless, setting string }{
		{"busy_timeout", "_pragma=busy_timeout(10000)"}, {"journal_mode", "_pragma=journal_mode(WAL)"}, {"_txlock", "_txlock=immediate"},
	} {
		if !strings.Contains(query, add.unless) {
			query = strings.TrimPrefix(query+"&"+add.setting, "&")
		}
	}
	dsn := "file:" + file + "?" + query
	return target{
		dialect: database.SQLite, name: "SQLite file " + file,
		file: file, open: func() (driver.Connector, error) { return sqlite.NewConnector(dsn) },
	}, nil
}

// hidden is an error's text without what may be a secret: a parser repeats what it was
// given.
func hidden(err error, dsn string) string {
	text := err.Error()
	if cause := errors.Unwrap(err); cause != nil {
		text = cause.Error()
	}
	for _, part := range append([]string{dsn}, strings.FieldsFunc(dsn, func(r rune) bool { return strings.ContainsRune(" :@/?&=", r) })...) {
		if len(part) > 3 && strings.Contains(text, part) {
			return "it cannot be parsed"
		}
	}
	return text
}

// openDatabase opens the database of a Config; it does not connect.
func (c Config) openDatabase() (*sql.DB, target, error) {
	if c.DSNFile == "" {
		t, err := parseDSN(c.DSN)
		if err != nil {
			return nil, target{}, err
		}
		connector, err := t.open()
		if err != nil {
			return nil, target{}, errors.New("the DSN: " + hidden(err, c.DSN))
		}
		return c.pooled(sql.OpenDB(connector)), t, nil
	}
	f := &rereading{path: c.DSNFile}
	t, err := f.read()
	if err != nil {
		return nil, target{}, err
	}
	return c.pooled(sql.OpenDB(f)), t, nil
}

// pooled bounds the connections by the work: a transaction for each worker, and the
// looks beside them.
func (c Config) pooled(db *sql.DB) *sql.DB {
	db.SetMaxOpenConns(c.Workers + 2)
	db.SetMaxIdleConns(c.Workers + 2)
	return db
}

// rereading makes each connection by the DSN that a file holds by then.
type rereading struct {
	path string

	mu        sync.Mutex // guards what follows
	dsn       string
	target    target
	connector driver.Connector
}

// Connect implements driver.Connector.
func (r *rereading) Connect(ctx context.Context) (driver.Conn, error) {
	if _, err := r.read(); err != nil {
		return nil, database.Mark(err, database.Unavailable)
	}
	r.mu.Lock()
	connector := r.connector
	r.mu.Unlock()
	return connector.Connect(ctx)
}

// Driver implements driver.Connector.
func (r *rereading) Driver() driver.Driver {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connector.Driver()
}

func (r *rereading) read() (target, error) {
	text, err := os.ReadFile(r.path)
	if err != nil {
		return target{}, fmt.Errorf("read the DSN's file: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	dsn := strings.TrimSpace(string(text))
	if r.connector != nil && dsn == r.dsn {
		return r.target, nil
	}
	t, err := parseDSN(dsn)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", r.path, err)
	}
	if r.connector != nil && t.dialect != r.target.dialect {
		return target{}, fmt.Errorf("%s names another kind of database (%s) than at the start (%s)", r.path, t.dialect, r.target.dialect)
	}
	connector, err := t.open()
	if err != nil {
		return target{}, fmt.Errorf("%s: %s", r.path, hidden(err, dsn))
	}
	r.dsn, r.target, r.connector = dsn, t, connector
	return t, nil
}
