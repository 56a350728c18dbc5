package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replhub/replhub/capture/internal/change"
)

const (
	// mostSpent is the number of rows of outboxes that wait at most for their delete.
	mostSpent = 2000
	// removeRows is the number of rows that one statement deletes.
	removeRows = 500
	// lockTime bounds the wait for rows that somebody else has locked, during which no
	// event is stored. After lockedPause it is tried again, and no more than mostLocked rows
	// wait for that.
	lockTime    = "1s"
	lockedPause = 10 * time.Second
	mostLocked  = 100_000
)

// errLocked means that rows of an outbox cannot be deleted now.
var errLocked = errors.New("somebody holds a lock on it")

// spent is a row of an outbox, named by the literals of its primary key.
type spent struct {
	relation *relation
	key      string
}

// spentRow is a row to delete once its event is stored; nil where rows are left alone.
func spentRow(r *relation, row change.Tuple) *spent {
	columns := r.outbox.Spent()
	if columns == nil {
		return nil
	}
	literals := make([]string, len(columns))
	for i, c := range columns {
		literals[i] = plainLiteral(string(row[c].Text))
	}
	return &spent{r, "(" + strings.Join(literals, ", ") + ")"}
}

// plainLiteral is a text in SQL whatever standard_conforming_strings says.
func plainLiteral(text string) string {
	if !strings.Contains(text, `\`) {
		return quoteLiteral(text)
	}
	return " E" + quoteLiteral(strings.ReplaceAll(text, `\`, `\\`))
}

// remove deletes rows. Rows of a table that is gone are gone, too.
func (l *lookups) remove(ctx context.Context, rows []*spent) error {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && n < removeRows && rows[n].relation == rows[0].relation {
			n++
		}
		if err := l.removeFrom(ctx, rows[0].relation, rows[:n]); err != nil {
			return fmt.Errorf("delete the rows of outbox %s whose events are stored: %w", rows[0].relation.name(), err)
		}
		rows = rows[n:]
	}
	return nil
}

func (l *lookups) removeFrom(ctx context.Context, r *relation, rows []*spent) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	delete(l.names, r.OID) // another table may have the name by now
	name, there, err := l.name(ctx, r.OID)
	if err != nil || !there {
		return err
	}
	_, err = l.conn.Exec(ctx, "SET lock_timeout = '"+lockTime+"'; "+removeStatement(r, name, rows)).ReadAll()
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && refused.Code == lockNotAvailable:
		return fmt.Errorf("%w: %w", errLocked, err)
	case errors.As(err, &refused) && refused.Code == undefinedTable:
		return err // renamed, or gone: asked again in the next session
	case errors.As(err, &refused) && (refused.Code == insufficientPrivilege || strings.HasPrefix(refused.Code, integrityClass)):
		return problemf(Refused, "%w: let the role of the capture delete them (GRANT DELETE, BYPASSRLS where the table has row security), or leave them to the service, without --outbox-delete", err)
	}
	return err
}

// The errors of a delete: the first one passes, the others do not.
const (
	lockNotAvailable      = "55P03"
	insufficientPrivilege = "42501"
	integrityClass        = "23"
)

// removeStatement names the rows. The table is locked before its name is compared, so no
// other table can have the name by then.
func removeStatement(r *relation, name string, rows []*spent) string {
	var columns, keys []string
	for _, c := range r.outbox.Spent() {
		columns = append(columns, pgx.Identifier{r.Columns[c].Name}.Sanitize())
	}
	for _, row := range rows {
		keys = append(keys, row.key)
	}
	return fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (%s) AND %s::regclass::oid = %d",
		name, strings.Join(columns, ", "), strings.Join(keys, ", "), quoteLiteral(strings.TrimPrefix(name, "ONLY ")), r.OID)
}
