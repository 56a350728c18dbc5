package outbox

import (
	"context"
	"database/sql"
	"errors"
)

// Tx is a transaction of the service's own: a *sql.Tx as it is, or a pgx.Tx by
// Pgx. A *sql.Conn in a transaction will do as well.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// PgxTx is what Pgx needs of a pgx.Tx; R stands for pgx's result.
type PgxTx[R any] interface {
	Exec(ctx context.Context, query string, args ...any) (R, error)
}

// Pgx makes a Tx of a pgx.Tx:
//
//	err := box.Enqueue(ctx, outbox.Pgx(tx), event)
func Pgx[R any](tx PgxTx[R]) Tx { return pgxTx[R]{tx} }

type pgxTx[R any] struct{ tx PgxTx[R] }

func (t pgxTx[R]) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if _, err := t.tx.Exec(ctx, query, args...); err != nil {
		return nil, err
	}
	return unknownResult{}, nil
}

// unknownResult is the result that Enqueue does not ask for.
type unknownResult struct{}

var errUnknownResult = errors.New("not known of a pgx transaction")

func (unknownResult) LastInsertId() (int64, error) { return 0, errUnknownResult }
func (unknownResult) RowsAffected() (int64, error) { return 0, errUnknownResult }
