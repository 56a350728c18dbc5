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
	// names are the tables as they were called when that was asked last, by their OIDs.
	names map[uint32]string
}

// The errors of a table or a column that is no longer there under its name.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// fill puts the missing columns of a row into the row, as they are now. A value that was
// changed since is newer than the change: the change that made it follows. The table may
// have another name by now, and another table its name.
func (l *lookups) fill(ctx context.Context, r *relation, row change.Tuple, missing []int) (found bool, err error) {
	for {
		if err := l.connect(ctx); err != nil {
			return false, err
		}
		name, there, err := l.name(ctx, r.OID)
		if err != nil || !there {
			return err == nil, err // the values are gone for good; Row leaves the columns out
		}
		statement, args := lookupStatement(r, name, row, missing)
		result := l.conn.ExecParams(ctx, statement, args, nil, nil, nil).Read()
		var refused *pgconn.PgError
		switch {
		case errors.As(result.Err, &refused) && refused.Code == undefinedColumn && len(missing) > 1:
			return l.fillEach(ctx, r, row, missing)
		case errors.As(result.Err, &refused) && refused.Code == undefinedColumn:
			return true, nil // as with the table
		case errors.As(result.Err, &refused) && refused.Code == undefinedTable:
			delete(l.names, r.OID)
		case result.Err != nil:
			return false, change.Denied(result.Err)
		case string(result.Rows[0][0]) != "t":
			delete(l.names, r.OID) // another table has the name
		default:
			return take(result.Rows[0], row, missing), nil
		}
	}
}

// take puts the columns of an answer into a row; false when it has none.
func take(answer [][]byte, row change.Tuple, missing []int) (found bool) {
	if answer[1] == nil {
		return false
	}
	for i, column := range missing {
		row[column] = change.Value{Kind: change.Null}
		if value := answer[2+i]; value != nil {
			row[column] = change.Value{Kind: change.Text, Text: value}
		}
	}
	return true
}

// name returns what a table is called in SQL, without the tables that inherit from it,
// whose rows are none of its own. there is false when the table was dropped.
func (l *lookups) name(ctx context.Context, oid uint32) (name string, there bool, err error) {
	if name, there = l.names[oid]; there {
		return name, true, nil
	}
	result := l.conn.ExecParams(ctx, nameQuery, [][]byte{strconv.AppendUint(nil, uint64(oid), 10)}, nil, nil, nil).Read()
	if result.Err != nil || len(result.Rows) == 0 {
		return "", false, result.Err
	}
	if l.names == nil {
		l.names = make(map[uint32]string)
	}
	l.names[oid] = string(result.Rows[0][0])
	return l.names[oid], true, nil
}

// A partitioned table stands for its partitions.
const nameQuery = `SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1`

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

// lookupStatement reads one row: whether the name is that of the table, whether the table
// has the row, and the columns. The table is locked before its name is compared, so no
// other table can have the name by then.
func lookupStatement(r *relation, name string, row change.Tuple, missing []int) (statement string, args [][]byte) {
	columns := make([]string, len(missing))
	names := make([]string, len(missing))
	for i, c := range missing {
		names[i] = fmt.Sprintf("v%d", i)
		columns[i] = pgx.Identifier{r.Columns[c].Name}.Sanitize() + "::text AS " + names[i]
	}
	keys := make([]string, 0, len(r.table.KeyColumns()))
	for _, c := range r.table.KeyColumns() {
		args = append(args, row[c].Text)
		keys = append(keys, fmt.Sprintf("%s = $%d", pgx.Identifier{r.Columns[c].Name}.Sanitize(), len(args)))
	}
	return fmt.Sprintf("SELECT %s::regclass::oid = %d, there, %s FROM (SELECT) one LEFT JOIN (SELECT true AS there, %s FROM %s WHERE %s) the ON true",
		quoteLiteral(strings.TrimPrefix(name, "ONLY ")), r.OID, strings.Join(names, ", "), strings.Join(columns, ", "), name, strings.Join(keys, " AND ")), args
}

func (l *lookups) close(ctx context.Context) {
	if l.conn != nil {
		_ = l.conn.Close(ctx) // it only read
	}
}
