package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/digest"
)

// comparison says how the rows of a table are compared with an owner's.
type comparison struct {
	table *Table
	shape *shape
	// columns are the table's columns that can be compared, and at their places in it.
	columns []digest.Column
	at      []int
	// unchecked are the names of the columns that cannot: what a Convert function makes is
	// not known at the owner.
	unchecked []string
	selecting string
	keyForm   digest.Form
}

// comparison reads the types of the table's columns.
func (t *Table) comparison(ctx context.Context, db *sql.DB) (*comparison, error) {
	s, err := t.readShape(ctx, db)
	if err != nil {
		return nil, err
	}
	d := t.inbox.cfg.Dialect
	c := &comparison{table: t, shape: s}
	var values []string
	keyForm, expression, _ := normalForm(d, s.key.rule) // a key's column has a rule that is known
	c.keyForm = keyForm
	if err := c.selects(&values, t.cfg.Key, expression); err != nil {
		return nil, err
	}
	for n, column := range t.columns {
		form, expression, known := normalForm(d, s.columns[n].rule)
		absent, sure := absentForm(d, &s.columns[n], form, column.Default)
		if column.Convert != nil || !known || !sure {
			c.unchecked = append(c.unchecked, column.Name)
			continue
		}
		if err := c.selects(&values, column.Name, expression); err != nil {
			return nil, err
		}
		c.columns = append(c.columns, digest.Column{Path: column.Column.Path, Form: string(form), Absent: absent})
		c.at = append(c.at, n)
	}
	table, err := d.QuotePath(t.cfg.Table)
	if err != nil {
		return nil, err
	}
	c.selecting = "SELECT " + strings.Join(values, ", ") + " FROM " + table
	if d == database.MariaDB {
		c.selecting = mariadbReading + c.selecting
	}
	return c, nil
}

func (c *comparison) selects(values *[]string, name, expression string) error {
	quoted, err := c.table.inbox.cfg.Dialect.Quote(name)
	if err != nil {
		return err
	}
	*values = append(*values, fmt.Sprintf(expression, quoted))
	return nil
}

// absentForm is the normal form of a column's Default; empty for NULL. sure is false
// where the database decides what becomes of the Default.
func absentForm(d database.Dialect, b *boundColumn, form digest.Form, value any) (normal string, sure bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case []byte:
		return digest.OfBytes(v), form == digest.Bytes
	case bool:
		if d != database.Postgres {
			value = map[bool]int64{true: 1}[v]
		}
	case string:
		if d == database.SQLite {
			return form.OfStored(v), form == digest.Text
		}
	}
	text, ok := valueText(value)
	if !ok || form == digest.Bytes {
		return "", false
	}
	if d == database.SQLite {
		return digest.Number.OfStored(text), form != digest.Text
	}
	normal, err := storedForm(d, b, form, sql.NullString{String: text, Valid: true})
	return normal, err == nil
}

// keyChunk is how many keys one statement looks up.
const keyChunk = 500

// all reads every row of the table.
func (c *comparison) all(ctx context.Context, db *sql.DB, each func(key string, values []string) error) error {
	return c.read(ctx, db, each, c.selecting)
}

// some reads the rows of keys.
func (c *comparison) some(ctx context.Context, db *sql.DB, keys []string, each func(key string, values []string) error) error {
	d := c.table.inbox.cfg.Dialect
	column, err := d.Quote(c.table.cfg.Key)
	if err != nil {
		return err
	}
	if d == database.SQLite {
		column += " COLLATE BINARY"
	}
	for len(keys) > 0 {
		part := keys[:min(keyChunk, len(keys))]
		keys = keys[len(part):]
		args := make([]any, 0, len(part))
		for _, key := range part {
			stored, err := c.shape.key.storeKey(key)
			if err != nil {
				continue // no row of the table can have the key
			}
			args = append(args, stored)
		}
		if len(args) == 0 {
			continue
		}
		query := fmt.Sprintf("%s WHERE %s IN (%s)", c.selecting, column, d.Parameters(1, len(args)))
		if err := c.read(ctx, db, each, query, args...); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) read(ctx context.Context, db *sql.DB, each func(key string, values []string) error, query string, args ...any) error {
	d := c.table.inbox.cfg.Dialect
	raw := make([]sql.NullString, 1+len(c.columns))
	into := make([]any, len(raw))
	for n := range raw {
		into[n] = &raw[n]
	}
	values := make([]string, len(c.columns))
	err := database.Query(ctx, db, func(row database.Row) error {
		if err := row.Scan(into...); err != nil {
			return err
		}
		key, err := storedForm(d, &c.shape.key, c.keyForm, raw[0])
		if err != nil {
			return err
		}
		for n := range values {
			bound := &c.shape.columns[c.at[n]]
			if values[n], err = storedForm(d, bound, digest.Form(c.columns[n].Form), raw[1+n]); err != nil {
				return err
			}
		}
		return each(digest.Key(key), values)
	}, query, args...)
	if err != nil {
		return fmt.Errorf("table %s: read its rows: %w", c.table.cfg.Table, err)
	}
	return nil
}
