package source

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replhub/replhub"
)

// Lookup returns the LookupFunc of an entity. Rows have the versions that Func gives them.
func (s *Snapshots) Lookup(entity string) replhub.LookupFunc {
	return func(ctx context.Context, keys []string, yield func(replhub.Event) error) error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("connect to the database: %w", err)
		}
		defer conn.Release()
		query := func(scan *scan, behind []string) (string, [][]byte, error) {
			if behind != nil {
				return "", nil, nil // all that were asked for are rows of other keys
			}
			return scan.of(keys)
		}
		err = s.serve(ctx, conn.Conn(), entity, choose{query: query, named: true}, yield)
		// PostgreSQL reads no value of the column's type in a key: a replica may have such a
		// key, if its column is of another type. All rows are read then.
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(refused.Code, "22") {
			only := make(map[string]bool, len(keys))
			for _, key := range keys {
				only[key] = true
			}
			return s.serve(ctx, conn.Conn(), entity, choose{query: everyRow, named: true, only: only}, yield)
		}
		return err
	}
}

// everyRow selects all rows of a table, at once.
func everyRow(s *scan, behind []string) (query string, args [][]byte, err error) {
	if behind != nil {
		return "", nil, nil // they were read
	}
	query, args = s.after(nil, math.MaxInt)
	return query, args, nil
}

// of selects the rows of keys. The query is empty where no row of the table can have one.
//
// Values that PostgreSQL takes for equal can have different keys, as one month and thirty
// days. So the query may also select rows of other keys.
func (s *scan) of(keys []string) (query string, args [][]byte, err error) {
	var rows []string
	for _, key := range keys {
		literals, err := s.shape.Literals(key)
		if err != nil {
			continue
		}
		rows = append(rows, "("+strings.Join(s.values(literals, len(args)), ", ")+")")
		for _, literal := range literals {
			args = append(args, []byte(literal))
		}
	}
	if len(rows) == 0 {
		return "", nil, nil
	}
	return s.query(" WHERE ("+strings.Join(s.ordered(), ", ")+") IN (VALUES "+strings.Join(rows, ", ")+")", ""), args, nil
}

// values are the parameters for a key's literals, in the order of the index. behind is how
// many parameters the query has before.
func (s *scan) values(literals []string, behind int) []string {
	values := make([]string, len(literals))
	for n, at := range s.shape.KeyColumns() {
		name := s.shape.Columns()[at].Name
		kind := s.table.typeName(name)
		if s.folded(name) {
			kind = "text"
		}
		values[slices.Index(s.order, name)] = fmt.Sprintf("$%d::%s", behind+n+1, kind)
	}
	return values
}
