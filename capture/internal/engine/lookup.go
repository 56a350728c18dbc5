package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replhub/replhub/capture/internal/change"
)

// lookups reads columns of rows over a connection of its own, which it opens at the first
// need. It is used by one goroutine.
type lookups struct {
	config *pgx.ConnConfig
	conn   *pgconn.PgConn
}

// The errors of a table or a column that is no longer there.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// fill puts the missing columns of a row into the row, as they are now. A value that was
// changed since is newer than the change: the change that made it follows.
func (l *lookups) fill(ctx context.Context, r *relation, row change.Tuple, missing []int) (found bool, err error) {
	if l.conn == nil || l.conn.IsClosed() {
		conn, err := pgx.ConnectConfig(ctx, l.config)
		if err != nil {
			return false, err
		}
		l.conn = conn.PgConn()
	}
	statement, args := lookupStatement(r, row, missing)
	result := l.conn.ExecParams(ctx, statement, args, nil, nil, nil).Read()
	var refused *pgconn.PgError
	switch {
	case errors.As(result.Err, &refused) && (refused.Code == undefinedColumn || refused.Code == undefinedTable):
		return true, nil // the value is gone for good; Row leaves the column out
	case result.Err != nil:
		return false, result.Err
	case len(result.Rows) == 0:
		return false, nil
	}
	for i, column := range missing {
		row[column] = change.Value{Kind: change.Null}
		if value := result.Rows[0][i]; value != nil {
			row[column] = change.Value{Kind: change.Text, Text: value}
		}
	}
	return true, nil
}

func lookupStatement(r *relation, row change.Tuple, missing []int) (statement string, args [][]byte) {
	columns := make([]string, len(missing))
	for i, c := range missing {
		columns[i] = pgx.Identifier{r.Columns[c].Name}.Sanitize() + "::text"
	}
	keys := make([]string, 0, len(r.table.KeyColumns()))
	for _, c := range r.table.KeyColumns() {
		args = append(args, row[c].Text)
		keys = append(keys, fmt.Sprintf("%s = $%d", pgx.Identifier{r.Columns[c].Name}.Sanitize(), len(args)))
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(columns, ", "),
		pgx.Identifier{r.Schema, r.Name}.Sanitize(), strings.Join(keys, " AND ")), args
}

func (l *lookups) close(ctx context.Context) {
	if l.conn != nil {
		_ = l.conn.Close(ctx) // it only read
	}
}
