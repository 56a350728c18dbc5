package inbox

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is the SQL that a database speaks.
type Dialect int

// The dialects.
const (
	// Postgres is PostgreSQL 15 or later.
	Postgres Dialect = iota
	// MariaDB is MariaDB 10.5 or later. MySQL lacks statements that are used.
	MariaDB
	// SQLite is SQLite 3.35 or later.
	SQLite
)

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

func (d Dialect) validate() error {
	if d < Postgres || d > SQLite {
		return fmt.Errorf("Dialect %d: must be Postgres, MariaDB or SQLite", int(d))
	}
	return nil
}

// parameter is the placeholder of the statement's n-th argument, from 1.
func (d Dialect) parameter(n int) string {
	if d == Postgres {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// longestName is what PostgreSQL takes for a name; it cuts longer ones short in
// silence. MariaDB takes 64.
const longestName = 63

// quote makes name an identifier that holds nothing but itself, whatever
// characters it has.
func (d Dialect) quote(name string) (string, error) {
	if name == "" || len(name) > longestName || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("name %q: must have 1 to %d bytes and no NUL", name, longestName)
	}
	mark := `"`
	if d == MariaDB {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark, nil
}

// quotePath is quote for a table's name, with its schema before a dot or not.
func (d Dialect) quotePath(name string) (string, error) {
	parts := strings.Split(name, ".")
	for n, part := range parts {
		quoted, err := d.quote(part)
		if err != nil {
			return "", err
		}
		parts[n] = quoted
	}
	return strings.Join(parts, "."), nil
}
