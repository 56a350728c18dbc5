package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
)

// SQLite says of a foreign key that it failed, and not which one. These are those of
// a table, and those that lead to it.
const sqliteForeignKeys = `SELECT 'its column ' || f."from" || ' names ' || f."table" FROM pragma_foreign_key_list(?) f
UNION ALL SELECT 'column ' || f."from" || ' of ' || m.name || ' names it' FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
WHERE m.type = 'table' AND f."table" = ? COLLATE NOCASE`

// withForeignKeys adds to an error of SQLite's what foreign keys it may be about.
// Other databases name the constraint.
func (t *Table) withForeignKeys(ctx context.Context, db *sql.DB, err error) error {
	if t.inbox.cfg.Dialect != database.SQLite || database.Classify(err) != database.Waits {
		return err
	}
	_, name, schema := strings.Cut(t.cfg.Table, ".")
	if !schema {
		name = t.cfg.Table
	}
	keys, asked := names(ctx, db, sqliteForeignKeys, name, name)
	if asked != nil || len(keys) == 0 {
		return err
	}
	return fmt.Errorf("%w (foreign keys of %s: %s)", err, t.cfg.Table, strings.Join(keys, "; "))
}
