package database

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is the SQL that a database speaks. The zero Dialect is Postgres.
type Dialect int

// The dialects, each with the oldest version that is supported.
const (
	// Postgres is PostgreSQL 15 or later.
	Postgres Dialect = iota
	// MariaDB is MariaDB 10.6 or later. MySQL lacks statements that are used.
	MariaDB
	// SQLite is SQLite 3.35 or later, best in WAL mode and with a busy_timeout.
	SQLite
)

// String is the dialect's name, in lower case.
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "postgres"
	case MariaDB:
		return "mariadb"
	case SQLite:
		return "sqlite"
	default:
		return "dialect " + strconv.Itoa(int(d))
	}
}

// Validate returns an error unless d is one of the dialects.
func (d Dialect) Validate() error {
	if d < Postgres || d > SQLite {
		return fmt.Errorf("Dialect %d: must be Postgres, MariaDB or SQLite", int(d))
	}
	return nil
}

// Parameter is the placeholder of a statement's n-th argument, counted from 1.
func (d Dialect) Parameter(n int) string {
	if d == Postgres {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// Parameters is a list of count placeholders, the first of which is number first.
func (d Dialect) Parameters(first, count int) string {
	all := make([]string, count)
	for i := range all {
		all[i] = d.Parameter(first + i)
	}
	return strings.Join(all, ", ")
}

// MaxName is the longest name of a table or column, in bytes. PostgreSQL cuts
// longer names short without an error. MariaDB would take 64.
const MaxName = 63

// Quote makes name an identifier that means nothing but itself, whatever
// characters it has.
func (d Dialect) Quote(name string) (string, error) {
	if name == "" || len(name) > MaxName || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("name %q: must have 1 to %d bytes and no NUL", name, MaxName)
	}
	mark := `"`
	if d == MariaDB {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark, nil
}

// QuotePath is Quote for a table's name. A schema may stand before it, with a
// dot between.
func (d Dialect) QuotePath(name string) (string, error) {
	parts := strings.Split(name, ".")
	for n, part := range parts {
		quoted, err := d.Quote(part)
		if err != nil {
			return "", err
		}
		parts[n] = quoted
	}
	return strings.Join(parts, "."), nil
}
