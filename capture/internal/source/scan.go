package source

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/row"
)

// fetch is how many rows a cursor gives at a time: it bounds the memory, and the rows
// that are read for nothing when no more are wanted.
const fetch = 200

// scan reads the rows of one table as text, over a cursor.
type scan struct {
	table *Table
	shape *row.Shape
	// order are the columns of the key in the order of their index.
	order []string
}

// newScan finds out how a table is read. key is the table's key.
func newScan(ctx context.Context, conn *pgx.Conn, tables *Tables, t *Table, entity string) (*scan, error) {
	key := tables.selection.Key(t.Schema, t.Name)
	if key == nil {
		key = t.primaryKey()
	}
	if err := refuseUnmet(tables.selection.Unmet(t.Schema, t.Name, t.names())); err != nil {
		return nil, fmt.Errorf("table %s: %w", t.FullName(), err)
	}
	rel := t.relation(key)
	columns := make([]row.Column, len(rel.Columns))
	for n, c := range rel.Columns {
		kind, err := tables.types.Of(ctx, conn, c.Type)
		if err != nil {
			return nil, err
		}
		columns[n] = row.Column{Name: c.Name, Type: kind, Excluded: tables.selection.Excludes(t.Schema, t.Name, c.Name)}
	}
	shape, err := row.NewShape(entity, t.FullName(), columns, key)
	if err != nil {
		return nil, err
	}
	return &scan{t, shape, t.orderOf(key)}, nil
}

// orderOf returns the columns of a key in the order of an index on them, if there is one.
func (t *Table) orderOf(key []string) []string {
	for _, i := range t.Indexes {
		if len(i.Columns) == len(key) && len(notIn(key, i.Columns)) == 0 {
			return i.Columns
		}
	}
	return key
}

// query selects, of each row, whether no transaction has touched it since (see
// snapshot.go), and its columns, NULL for those that are excluded. where and tail are
// what follows the table's name.
func (s *scan) query(where, tail string) string {
	columns := []string{"xmax::text = '0'"}
	for _, c := range s.shape.Columns() {
		if c.Excluded {
			columns = append(columns, "NULL")
		} else {
			columns = append(columns, quote(c.Name))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + s.table.itself() + where + tail
}

// literals are the values of a key in a form that PostgreSQL reads, in the order of
// KeyColumns; none of an empty key.
func (s *scan) literals(key string) ([]string, error) {
	if key == "" {
		return nil, nil
	}
	return s.shape.Literals(key)
}

// literalsOf are the literals of a row.
func (s *scan) literalsOf(t change.Tuple) []string {
	literals := make([]string, 0, len(s.order))
	for _, at := range s.shape.KeyColumns() {
		literals = append(literals, string(t[at].Text))
	}
	return literals
}

// after selects the rows that follow a key, in the order of the key; all without
// literals.
func (s *scan) after(literals []string, limit int) (query string, args [][]byte) {
	order := strings.Join(s.ordered(), ", ")
	tail := fmt.Sprintf(" ORDER BY %s LIMIT %d", order, limit)
	if literals == nil {
		return s.query("", tail), nil
	}
	for _, literal := range literals {
		args = append(args, []byte(literal))
	}
	return s.query(" WHERE ("+order+") > ("+strings.Join(s.values(literals, 0), ", ")+")", tail), args
}

// ordered are the columns of the key in the form by which rows are ordered and compared.
// The operators of citext are not in the search path, so a comparison would be that of
// text, which is not the order of its index. Both are of one order by an explicit form.
func (s *scan) ordered() []string {
	forms := quoteAll(s.order)
	for n, name := range s.order {
		if s.folded(name) {
			forms[n] += `::text COLLATE "C"`
		}
	}
	return forms
}

func (s *scan) folded(column string) bool {
	columns := s.shape.Columns()
	return columns[slices.IndexFunc(columns, func(c row.Column) bool { return c.Name == column })].Type.Folded()
}

func (t *Table) typeName(column string) string {
	at := slices.IndexFunc(t.Columns, func(c TableColumn) bool { return c.Name == column })
	return t.Columns[at].TypeName
}

// run reads the rows of a query in the transaction of a connection. untouched is whether
// no transaction has touched the row; the tuple is valid until yield returns.
func (s *scan) run(ctx context.Context, conn *pgx.Conn, query string, args [][]byte, yield func(untouched bool, t change.Tuple) error) error {
	if err := conn.PgConn().ExecParams(ctx, "DECLARE replhub NO SCROLL CURSOR FOR "+query, args, nil, nil, nil).Read().Err; err != nil {
		return fmt.Errorf("read the rows of %s: %w", s.table.FullName(), change.Denied(err))
	}
	for {
		rows, err := s.fetch(ctx, conn, yield)
		if err != nil {
			return err
		}
		if rows < fetch {
			break
		}
	}
	_, err := conn.Exec(ctx, "CLOSE replhub")
	return err
}

func (s *scan) fetch(ctx context.Context, conn *pgx.Conn, yield func(bool, change.Tuple) error) (rows int, err error) {
	result := conn.PgConn().ExecParams(ctx, fmt.Sprintf("FETCH %d FROM replhub", fetch), nil, nil, nil, nil)
	tuple := make(change.Tuple, len(s.shape.Columns()))
	for result.NextRow() {
		rows++
		if err != nil {
			continue // the rest of the answer has to be read
		}
		values := result.Values()
		for n, text := range values[1:] {
			tuple[n] = change.Value{Kind: change.Text, Text: text}
			if text == nil {
				tuple[n] = change.Value{Kind: change.Null}
			}
		}
		err = yield(string(values[0]) == "t", tuple)
	}
	if _, closed := result.Close(); closed != nil {
		return rows, fmt.Errorf("read the rows of %s: %w", s.table.FullName(), closed)
	}
	return rows, err
}
