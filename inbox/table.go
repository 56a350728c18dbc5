package inbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// TableConfig says how an entity's JSON maps to a row.
type TableConfig struct {
	// Table is the replica's table, with its schema before a dot or not.
	// Required. Names are taken as written, capitals too.
	Table string
	// Key is the column of the delivery's key (Config.Key of the inbox), which must
	// be the primary key or unique; "id" by default. Each key is a row of its own:
	// the column's type and collation must tell keys apart, and in a column of
	// numbers, dates or UUIDs a key in any but the type's one form is refused.
	Key string
	// Columns map the payload's fields. At least one is required.
	Columns []Column
}

// Column maps one field of the payload to one column.
type Column struct {
	// Name is the column's.
	Name string
	// Path is where the field is in the payload, its levels parted by dots, such
	// as "address.city"; by default it is Name.
	Path string
	// Default is stored if the payload lacks the field; nil stores NULL. It is given
	// to the database unchanged.
	Default any
	// Convert turns the field's value into the stored value. Its argument is nil, a
	// string, a bool, a json.Number, a map[string]any or a []any, and the result must
	// depend only on it. A json.RawMessage that it returns is JSON, and is stored
	// like a value of the payload; any other result is given to the database
	// unchanged. By default a value is stored as the table of types in TYPES.md says:
	// unchanged, by a lossless rule, or it is refused. See [UnixMillis], [Truncate],
	// [AssumeUTC], [LowerUUID], [Hex] and [ParseJSON].
	Convert func(value any) (any, error)
}

// Table applies deliveries to a table: a delete deletes the key's row, every
// other op inserts it or, if there is one, replaces the columns that were named.
// Other columns are left alone.
//
// A payload is the whole entity, so a missing field was removed: its column becomes
// its Default, else NULL. If the column kept its old value, the row would depend on
// changes that the inbox may have skipped. A Table may be used concurrently.
//
// At its first use, and again after a minute and after errors, it reads the types of
// its columns from the database's catalog, and returns a [*TableError] that lists the
// problems and their remedies. For a value that its column cannot hold exactly it
// returns a [*ValueError] and writes no row. TYPES.md has the stored form of each
// value in each type.
type Table struct {
	inbox   *Inbox
	cfg     TableConfig
	columns []column
	paths   *pathNode
	// change and put are the upsert: change may be empty, and put is then all;
	// else put is for where change affected no row.
	change, put, remove string
	// into and replace stand before and behind a rowSource: an upsert of many rows.
	// MariaDB's replace is for a table without another unique index.
	into, replace string
	// removeKeys deletes the rows of many keys. Its %s is their list; on PostgreSQL,
	// which is given an array, their type; on MariaDB an index comes before the list.
	removeKeys string
	// guarded is put, on PostgreSQL, for where a query "guard" returned a row.
	// Its arguments follow those of the inbox's upsert.
	guarded string

	turns    turns
	prepared keptStatements // on SQLite
	kept     keptRows

	shape    atomic.Pointer[shape]
	reading  atomic.Bool // somebody reads a shape that is known already
	clauses  atomic.Bool // of SQLite's table: see inserting; it stays once it is true
	unmapped unmappedNames
}

// NewTable checks the config of a table in the inbox's database. It does not use the
// database; see [Table.Check].
func (i *Inbox) NewTable(cfg TableConfig) (*Table, error) {
	d := i.cfg.Dialect
	cfg.Key = cmp.Or(cfg.Key, "id")
	cfg.Columns = slices.Clone(cfg.Columns)
	if len(cfg.Columns) == 0 {
		return nil, errors.New("inbox table: Columns: at least one is needed")
	}
	table, err := d.QuotePath(cfg.Table)
	if err != nil {
		return nil, fmt.Errorf("inbox table: Table: %w", err)
	}
	t := &Table{inbox: i, cfg: cfg, columns: make([]column, 0, len(cfg.Columns))}
	names := make([]string, 0, len(cfg.Columns)+1)
	for _, name := range append([]string{cfg.Key}, columnNames(cfg.Columns)...) {
		quoted, err := d.Quote(name)
		if err != nil {
			return nil, fmt.Errorf("inbox table: column: %w", err)
		}
		for _, other := range names {
			if strings.EqualFold(other, quoted) {
				return nil, fmt.Errorf("inbox table: column %q: named twice", name)
			}
		}
		names = append(names, quoted)
	}
	for _, c := range cfg.Columns {
		column, err := newColumn(c)
		if err != nil {
			return nil, fmt.Errorf("inbox table: %w", err)
		}
		t.columns = append(t.columns, column)
	}
	t.paths = newPaths(cfg.Key, t.columns)
	t.change, t.put = upsertStatements(d, table, names)
	t.guarded = guardedStatement(d, table, names)
	t.remove = removeStatement(d, table, names[0])
	t.into, t.replace = manyStatement(d, table, names)
	t.removeKeys = removeKeysStatement(d, table, names[0])
	return t, nil
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// Check reads the types of the table's columns now instead of at the first delivery:
// a service that calls it at its start gets a [*TableError] then if the table cannot
// work.
func (t *Table) Check(ctx context.Context, db *sql.DB) error {
	_, err := t.readShape(ctx, db)
	return err
}

// upsertStatements are for a key and columns, the key first in names and last in
// change's arguments. MariaDB's own upsert would also replace the row that has
// another unique column in common, so there it is two statements; nobody comes
// in between, for the inbox's row of this key is locked.
func upsertStatements(d database.Dialect, table string, names []string) (change, put string) {
	list := strings.Join(names, ", ")
	if d == database.MariaDB {
		return mariadbStrict + fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = ?", table, strings.Join(names[1:], " = ?, "), names[0]),
			mariadbStrict + fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM %s WHERE %s = ?)",
				table, list, d.Parameters(1, len(names)), table, names[0])
	}
	return "", fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) %s", table, list, d.Parameters(1, len(names)), onConflict(names))
}

func guardedStatement(d database.Dialect, table string, names []string) string {
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s WHERE EXISTS (SELECT 1 FROM guard) %s",
		table, strings.Join(names, ", "), d.Parameters(recordColumns+1, len(names)), onConflict(names))
}

func onConflict(names []string) string {
	sets := make([]string, len(names)-1)
	for i, name := range names[1:] {
		sets[i] = name + " = excluded." + name
	}
	return fmt.Sprintf("ON CONFLICT (%s) DO UPDATE SET %s", names[0], strings.Join(sets, ", "))
}

// removeStatement deletes a key's row. SQLite is told to compare bytes, whatever
// the column's collation; the index that makes the key unique does so too.
func removeStatement(d database.Dialect, table, key string) string {
	switch d {
	case database.MariaDB:
		return mariadbStrict + fmt.Sprintf("DELETE FROM %s WHERE %s = ?", table, key)
	case database.SQLite:
		return fmt.Sprintf("DELETE FROM %s WHERE %s = ? COLLATE BINARY", table, key)
	default:
		return fmt.Sprintf("DELETE FROM %s WHERE %s = $1", table, key)
	}
}

// Apply makes d's change in the table. Call it in the effect of [Inbox.Apply]; by
// itself it does not guard against old changes. On MariaDB, begin tx at READ COMMITTED:
// under REPEATABLE READ a delete or an update of a row that does not exist locks the
// gap around its key, and transactions of other keys wait.
func (t *Table) Apply(ctx context.Context, tx database.Tx, d *replhub.Delivery) error {
	c, err := t.prepare(ctx, tx, d)
	if err != nil {
		return err
	}
	if d.Op == replhub.Delete {
		_, err = tx.ExecContext(ctx, t.remove, c.row...)
	} else {
		err = t.upsert(ctx, tx, c.row)
	}
	if err != nil {
		t.doubt(err)
		return fmt.Errorf("table %s: entity %s, key %q: write row: %w", t.cfg.Table, d.Entity, shown(t.inbox.cfg.Key(d)), err)
	}
	t.tell(c)
	return nil
}

// prepare is what d changes, by the types that are known. Before it refuses a
// value it looks whether the types are still those.
func (t *Table) prepare(ctx context.Context, tx database.Tx, d *replhub.Delivery) (change, error) {
	s, err := t.shapeOf(ctx, tx)
	if err != nil {
		return change{}, err
	}
	c, err := t.changeOf(s, d)
	var refused *ValueError
	if !errors.As(err, &refused) || time.Since(s.read) < t.inbox.shapeDoubt {
		return c, err
	}
	if s, err = t.readShape(ctx, tx); err != nil {
		return change{}, err
	}
	return t.changeOf(s, d)
}

func (t *Table) upsert(ctx context.Context, tx database.Tx, row []any) error {
	if t.change == "" {
		_, err := tx.ExecContext(ctx, t.inserting(t.put), row...)
		return err
	}
	key := row[0]
	changed, err := tx.ExecContext(ctx, t.change, append(slices.Clone(row[1:]), key)...)
	if err != nil {
		return err
	}
	if n, err := changed.RowsAffected(); err != nil || n > 0 {
		return err
	}
	// None was there, or it was equal: MariaDB counts only what it changed.
	_, err = tx.ExecContext(ctx, t.put, append(row, key)...)
	return err
}
