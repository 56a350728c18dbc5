package row

import (
	"errors"
	"fmt"
	"slices"

	"github.com/replhub/replhub/capture/internal/change"
)

// Column is a column of a table at one time.
type Column struct {
	Name string
	Type Type
	// Excluded says that no payload has the column.
	Excluded bool
}

// Shape says how the rows of a table at one time become events. It is immutable, and
// is the change.Table of the table.
type Shape struct {
	entity, table string
	columns       []Column
	// names are the columns' names as members of a JSON object, with the colon.
	names [][]byte
	key   []int // positions in columns, in the order of the columns
}

var _ change.Table = (*Shape)(nil)

// NewShape makes the Shape of a table with the given columns in their order. key names
// the columns of the key. A name that is no column is an error, as is a column of the
// key that is excluded, or whose type cannot be a key.
func NewShape(entity, table string, columns []Column, key []string) (*Shape, error) {
	s := &Shape{entity: entity, table: table, columns: columns, names: make([][]byte, len(columns))}
	if len(key) == 0 {
		return nil, fmt.Errorf("table %s has no key; name its columns with --key %s=<column>", table, table)
	}
	for _, name := range key {
		if !slices.ContainsFunc(columns, func(c Column) bool { return c.Name == name }) {
			return nil, fmt.Errorf("table %s has no column %q for its key", table, name)
		}
	}
	for n, c := range columns {
		name, err := appendString(nil, []byte(c.Name))
		if err != nil {
			return nil, fmt.Errorf("table %s: the name of column %d: %w", table, n+1, err)
		}
		s.names[n] = append(name, ':')
		if !slices.Contains(key, c.Name) {
			continue
		}
		if err := c.checkKey(); err != nil {
			return nil, fmt.Errorf("table %s: column %q %w", table, c.Name, err)
		}
		s.key = append(s.key, n)
	}
	return s, nil
}

// checkKey says why a column cannot belong to a key.
func (c Column) checkKey() error {
	switch {
	case c.Excluded:
		return errors.New("belongs to the key and cannot be excluded")
	case !c.Type.canBeKey():
		return errors.New("cannot belong to a key, because its type has several texts for one value")
	}
	return nil
}

// errUnchanged is that of a value which logical decoding left out.
var errUnchanged = errors.New("the value was left out by logical decoding and has to be read from the row first")

// ValueError is a value that cannot be part of an event. The event must not be
// published without it.
type ValueError struct {
	Table, Column string
	Err           error
}

// Error names the table and the column, never the value.
func (e *ValueError) Error() string {
	return fmt.Sprintf("table %s, column %q: %v", e.Table, e.Column, e.Err)
}

// Unwrap returns the reason.
func (e *ValueError) Unwrap() error { return e.Err }

// Entity returns the entity of the table's events.
func (s *Shape) Entity() string { return s.entity }

// KeyColumns returns the positions of the key's columns, in the order of the columns.
// The caller only reads them.
func (s *Shape) KeyColumns() []int { return s.key }

// Columns returns the columns in their order. The caller only reads them.
func (s *Shape) Columns() []Column { return s.columns }

// Row appends the JSON object of a row, with a member for each column that is not
// excluded. An error is a *ValueError, and what was appended is then of no use.
func (s *Shape) Row(dst []byte, t change.Tuple) ([]byte, error) {
	return s.object(dst, t, func(n int) bool { return !s.columns[n].Excluded })
}

// KeyRow appends the JSON object of the key's columns. Its values are those of the row,
// so a numeric has the zeros that the row has.
func (s *Shape) KeyRow(dst []byte, t change.Tuple) ([]byte, error) {
	return s.object(dst, t, func(n int) bool { return slices.Contains(s.key, n) })
}

func (s *Shape) object(dst []byte, t change.Tuple, has func(n int) bool) ([]byte, error) {
	if len(t) != len(s.columns) {
		return dst, fmt.Errorf("table %s: a row has %d values for %d columns", s.table, len(t), len(s.columns))
	}
	dst = append(dst, '{')
	first := true
	for n, c := range s.columns {
		if !has(n) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, s.names[n]...)
		var err error
		if dst, err = c.Type.appendValue(dst, t[n]); err != nil {
			return dst, &ValueError{s.table, c.Name, err}
		}
	}
	return append(dst, '}'), nil
}

func (t Type) appendValue(dst []byte, v change.Value) ([]byte, error) {
	switch v.Kind {
	case change.Text:
		return t.append(dst, v.Text)
	case change.Null:
		return append(dst, "null"...), nil
	default:
		return dst, errUnchanged
	}
}
