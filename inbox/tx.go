package inbox

import (
	"context"
	"database/sql"
)

// Tx is an open transaction: SQL makes one of a *sql.Tx, Pgx of a pgx.Tx.
type Tx interface {
	// Exec runs a statement and returns how many rows it affected.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	// QueryRow runs a query of one row; its error comes with Scan.
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// Row is the answer to a query of one row.
type Row interface {
	Scan(into ...any) error
}

// SQL is tx as a Tx.
func SQL(tx *sql.Tx) Tx { return sqlTx{tx} }

type sqlTx struct{ tx *sql.Tx }

func (t sqlTx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t sqlTx) QueryRow(ctx context.Context, query string, args ...any) Row {
	return t.tx.QueryRowContext(ctx, query, args...)
}

// Pgx is tx, a pgx.Tx, as a Tx. The type parameters are inferred; with them this
// package need not import pgx.
func Pgx[T Affected, R Row](tx PgxTx[T, R]) Tx { return pgxTx[T, R]{tx} }

// PgxTx is what is needed of a pgx.Tx.
type PgxTx[T Affected, R Row] interface {
	Exec(ctx context.Context, query string, args ...any) (T, error)
	QueryRow(ctx context.Context, query string, args ...any) R
}

// Affected is what is needed of a pgconn.CommandTag.
type Affected interface {
	RowsAffected() int64
}

type pgxTx[T Affected, R Row] struct{ tx PgxTx[T, R] }

func (t pgxTx[T, R]) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return tag.RowsAffected(), nil
}

func (t pgxTx[T, R]) QueryRow(ctx context.Context, query string, args ...any) Row {
	return t.tx.QueryRow(ctx, query, args...)
}
