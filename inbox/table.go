package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// TableConfig says how an entity's JSON becomes a row.
type TableConfig struct {
	// Table is the replica's table, with its schema before a dot or not.
	// Required. Names are taken as written, capitals too.
	Table string
	// Key is the column of the delivery's key, which must be the primary key or
	// unique; "id" by default. The key is given as text, which the databases
	// turn into numbers or UUIDs where the column is of such a type.
	Key string
	// Columns are what is taken from the payload. At least one.
	Columns []Column
}

// Column takes one field of the payload into one column.
type Column struct {
	// Name is the column's.
	Name string
	// Path is where the field is in the payload, its levels parted by dots, such
	// as "address.city"; by default it is Name.
	Path string
	// Default is stored where the payload lacks the field; nil stores NULL.
	Default any
	// Convert turns the field's value into what is stored. It is given nil, a
	// string, a bool, a json.Number, a map[string]any or a []any. By default
	// objects and arrays are stored as their JSON text, everything else as it
	// is.
	Convert func(value any) (any, error)
}

// Table applies deliveries to a table: a delete deletes the key's row, every
// other op inserts it or, if there is one, replaces the columns that were named.
// Other columns are left alone.
//
// A payload is the whole entity, so a field that is missing is gone: its column
// becomes its Default, else NULL. To leave it as it was would make the row depend
// on changes that the inbox may have skipped. It is safe for concurrent use.
type Table struct {
	cfg     TableConfig
	columns []column
	// change and put are the upsert: change may be empty, and put is then all;
	// else put is for where change affected no row.
	change, put, remove string
	// guarded is put, on PostgreSQL, for where a query "guard" returned a row.
	// Its arguments follow those of the inbox's upsert.
	guarded string
}

// NewTable checks the config of a table in the inbox's database. It does not
// reach for the database.
func (i *Inbox) NewTable(cfg TableConfig) (*Table, error) {
	d := i.cfg.Dialect
	cfg.Key = cmp.Or(cfg.Key, "id")
	if len(cfg.Columns) == 0 {
		return nil, errors.New("inbox table: Columns: at least one is needed")
	}
	table, err := d.QuotePath(cfg.Table)
	if err != nil {
		return nil, fmt.Errorf("inbox table: Table: %w", err)
	}
	t := &Table{cfg: cfg, columns: make([]column, 0, len(cfg.Columns))}
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
		t.columns = append(t.columns, newColumn(d, c))
	}
	t.change, t.put = upsertStatements(d, table, names)
	t.guarded = guardedStatement(d, table, names)
	t.remove = fmt.Sprintf("DELETE FROM %s WHERE %s = %s", table, names[0], d.Parameter(1))
	return t, nil
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// upsertStatements are for a key and columns, the key first in names and last in
// change's arguments. MariaDB's own upsert would also replace the row that has
// another unique column in common, so there it is two statements; nobody comes
// in between, for the inbox's row of this key is locked.
func upsertStatements(d database.Dialect, table string, names []string) (change, put string) {
	list := strings.Join(names, ", ")
	if d == database.MariaDB {
		return fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = ?", table, strings.Join(names[1:], " = ?, "), names[0]),
			fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM %s WHERE %s = ?)",
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

// Apply makes d's change in the table. It belongs into the effect of
// [Inbox.Apply]; by itself it guards nothing.
func (t *Table) Apply(ctx context.Context, tx database.Tx, d *replhub.Delivery) error {
	if d.Key == "" {
		return fmt.Errorf("table %s: %w", t.cfg.Table, ErrNoKey)
	}
	if d.Op == replhub.Delete {
		if _, err := tx.ExecContext(ctx, t.remove, d.Key); err != nil {
			return fmt.Errorf("table %s: delete row: %w", t.cfg.Table, err)
		}
		return nil
	}
	row, err := t.row(d)
	if err != nil {
		return err
	}
	if err := t.upsert(ctx, tx, row); err != nil {
		return fmt.Errorf("table %s: write row: %w", t.cfg.Table, err)
	}
	return nil
}

// row is what the key's column and the others get of d.
func (t *Table) row(d *replhub.Delivery) ([]any, error) {
	if d.Key == "" {
		return nil, fmt.Errorf("table %s: %w", t.cfg.Table, ErrNoKey)
	}
	row, err := t.values(d.Data, []any{d.Key})
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.cfg.Table, err)
	}
	return row, nil
}

func (t *Table) upsert(ctx context.Context, tx database.Tx, row []any) error {
	if t.change == "" {
		_, err := tx.ExecContext(ctx, t.put, row...)
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
