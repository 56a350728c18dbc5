package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// TableColumn is a column of a table in the inbox's database, as the catalog has it.
type TableColumn struct {
	Name string
	// Type is the type in the database's words.
	Type string
	// NotNull, HasDefault and Generated are as the column's definition says. HasDefault
	// also holds for columns that number themselves.
	NotNull, HasDefault, Generated bool
	// Primary says that the column is in the primary key, alone or with others.
	Primary bool
	// KeyProblem says why the column cannot be the key of a [Table], with the statement
	// that corrects that; empty where the column can be the key.
	KeyProblem string
}

// Columns reads the columns of a table from the database's catalog, in their order.
// Where there is no such table it returns a [*MissingTableError].
func (i *Inbox) Columns(ctx context.Context, tx database.Tx, table string) ([]TableColumn, error) {
	d := i.cfg.Dialect
	c, err := readCatalog(ctx, tx, d, table)
	switch {
	case err != nil:
		return nil, err
	case len(c.columns) == 0:
		return nil, &MissingTableError{Table: table, Others: c.others}
	}
	all := make([]TableColumn, len(c.columns))
	for n, col := range c.columns {
		all[n] = TableColumn{
			Name: col.name, Type: col.typeName, NotNull: col.notNull, HasDefault: col.hasDefault, Generated: col.generated,
			Primary: col.primary, KeyProblem: keyProblem(d, table, col),
		}
	}
	return all, nil
}

// MissingTableError says that a table does not exist.
type MissingTableError struct {
	Table string
	// Others are names of tables that exist, some of many.
	Others []string
}

// Error implements error.
func (e *MissingTableError) Error() string {
	return fmt.Sprintf("table %s: %s", e.Table, missingTable(e.Others))
}

// Class says that no value of an event is at fault: the table has to be corrected.
func (e *MissingTableError) Class() database.Class { return database.Unavailable }

// Seen reports whether a change of an entity, a delete included, was applied with this
// inbox. The inbox's table must exist, see [Inbox.Migrate].
func (i *Inbox) Seen(ctx context.Context, tx database.Tx, entity string) (bool, error) {
	d := i.cfg.Dialect
	table, err := d.QuotePath(i.cfg.Table)
	if err != nil {
		return false, fmt.Errorf("inbox: %w", err)
	}
	found, err := names(ctx, tx, fmt.Sprintf("SELECT entity FROM %s WHERE entity = %s LIMIT 1", table, d.Parameter(1)), entity)
	if err != nil {
		return false, fmt.Errorf("inbox: look for changes of %s: %w", entity, err)
	}
	return len(found) > 0, nil
}

// Trial is what a [Table] would make of a delivery.
type Trial struct {
	// Refused are the values that their columns do not take, the key's first; a
	// payload that is no object is one without a column.
	Refused []*ValueError
	// Missing are the columns without a member in the payload, which would get their
	// Default or NULL. A column that is NOT NULL is in Refused as well.
	Missing []string
	// Unmapped are the members of the payload that no column takes.
	Unmapped []string
}

// Try tells what the table would make of a delivery, and writes nothing. Unlike
// [Table.Apply], it names each column that refuses its value. The error is that of
// reading the table's columns.
func (t *Table) Try(ctx context.Context, tx database.Tx, d *replhub.Delivery) (Trial, error) {
	s, err := t.shapeOf(ctx, tx)
	if err != nil {
		return Trial{}, err
	}
	key := t.inbox.cfg.Key(d)
	about := refusal{ValueError{Table: t.cfg.Table, Entity: d.Entity, Key: shown(key)}}
	var trial Trial
	refuse := func(b boundColumn, value string, err error) {
		if refused, ok := errors.AsType[*ValueError](about.of(b, value, err)); ok {
			trial.Refused = append(trial.Refused, refused)
		}
	}
	if _, err := s.key.storeKey(key); err != nil {
		refuse(s.key, fmt.Sprintf("%q", shown(key)), err)
	}
	if d.Op == replhub.Delete {
		return trial, nil
	}
	f, err := t.paths.look(d.Data, len(t.columns))
	if err != nil {
		refuse(boundColumn{}, "", err)
		return trial, nil
	}
	trial.Unmapped = f.unmapped
	for n, column := range t.columns {
		_, missing, err := column.value(s.columns[n], f, n)
		if err != nil {
			refuse(s.columns[n], shown(string(f.members[n])), err)
		}
		if missing || err != nil && f.members[n] == nil {
			trial.Missing = append(trial.Missing, column.Name)
		}
	}
	return trial, nil
}
