package apply

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// rehearse runs what will be run on a table, for no row at all: the database then tells
// which right is missing, or that nothing can be written to it. It returns findings; the
// error is that of a database that is away.
func rehearse(ctx context.Context, db *sql.DB, d database.Dialect, t inbox.TableConfig) ([]string, error) {
	table, err := d.QuotePath(t.Table)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(t.Columns)+1)
	for _, name := range append([]string{t.Key}, columnNames(t.Columns)...) {
		quoted, err := d.Quote(name)
		if err != nil {
			return nil, err
		}
		names = append(names, quoted)
	}
	list := strings.Join(names, ", ")
	var f FindingsError
	for _, step := range []struct{ right, statement string }{
		{"SELECT", fmt.Sprintf("SELECT %s FROM %s WHERE 1 = 0", list, table)},
		{"INSERT", fmt.Sprintf("INSERT INTO %[1]s (%[2]s) SELECT %[2]s FROM %[1]s WHERE 1 = 0", table, list)},
		{"UPDATE", fmt.Sprintf("UPDATE %[1]s SET %[2]s = %[2]s WHERE 1 = 0", table, names[len(names)-1])},
		{"DELETE", fmt.Sprintf("DELETE FROM %s WHERE 1 = 0", table)},
	} {
		switch err := inVain(ctx, db, step.statement); {
		case err == nil:
		case isDenied(err):
			f.addf("table %s: this user may not %s: GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO it (%v)", t.Table, step.right, table, err)
			return f.All, nil // one right lacking, the others mostly do too
		case database.Classify(err) == database.Unavailable && !isReadOnly(err):
			return nil, err
		default:
			f.addf("table %s: %s is refused: %v", t.Table, step.right, err)
			return f.All, nil
		}
	}
	return nil, nil
}

func columnNames(columns []inbox.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// inVain runs a statement in a transaction that is rolled back.
func inVain(ctx context.Context, db *sql.DB, statement string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // that is what it is for
	_, err = tx.ExecContext(ctx, statement)
	return err
}

// isDenied reports whether an error says that a right is missing.
func isDenied(err error) bool {
	text := err.Error()
	for _, words := range []string{"SQLSTATE 42501", "Error 1142", "Error 1143", "Error 1044"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// isReadOnly reports whether an error says that the database takes no writes at all.
func isReadOnly(err error) bool {
	text := err.Error()
	for _, words := range []string{"SQLSTATE 25006", "Error 1290", "readonly database"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
