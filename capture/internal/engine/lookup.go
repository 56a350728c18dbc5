package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replhub/replhub/capture/internal/change"
	wait "github.com/replhub/replhub/internal/pause"
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
	if err := l.connect(ctx); err != nil {
		return false, err
	}
	statement, args := lookupStatement(r, row, missing)
	result := l.conn.ExecParams(ctx, statement, args, nil, nil, nil).Read()
	var refused *pgconn.PgError
	switch {
	case errors.As(result.Err, &refused) && refused.Code == undefinedColumn && len(missing) > 1:
		return l.fillEach(ctx, r, row, missing)
	case errors.As(result.Err, &refused) && (refused.Code == undefinedColumn || refused.Code == undefinedTable):
		return true, nil // the value is gone for good; Row leaves the column out
	case result.Err != nil:
		return false, change.Denied(result.Err)
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

// fillEach reads the columns one by one, where one of them is gone.
func (l *lookups) fillEach(ctx context.Context, r *relation, row change.Tuple, missing []int) (found bool, err error) {
	for i := range missing {
		if found, err = l.fill(ctx, r, row, missing[i:i+1]); err != nil || !found {
			return found, err
		}
	}
	return true, nil
}

// lookAgain is the time between two looks whether a transaction is seen.
const lookAgain = 5 * time.Millisecond

// visible asks whether a snapshot has a transaction. The log names a transaction by the
// low 32 bits of its id, which is the one nearest to the end of the snapshot.
const visible = `WITH s AS (SELECT pg_current_snapshot() AS snapshot, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax)
SELECT pg_visible_in_snapshot((xmax + (($1::text::bigint - xmax) % 4294967296 + 6442450944) % 4294967296 - 2147483648)::text::xid8, snapshot)::text FROM s`

// await waits until a snapshot, and so each later one, has a transaction.
func (l *lookups) await(ctx context.Context, xid uint32) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	for {
		result := l.conn.ExecParams(ctx, visible, [][]byte{strconv.AppendUint(nil, uint64(xid), 10)}, nil, nil, nil).Read()
		if result.Err != nil || string(result.Rows[0][0]) == "true" {
			return result.Err
		}
		if err := wait.For(ctx, lookAgain); err != nil {
			return err
		}
	}
}

func (l *lookups) connect(ctx context.Context) error {
	if l.conn != nil && !l.conn.IsClosed() {
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return err
	}
	l.conn = conn.PgConn()
	return nil
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
