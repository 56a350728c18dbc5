package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Tx is an open transaction of the service: a *sql.Tx as it is, a *sql.Conn on
// which a transaction was begun, or a pgx.Tx by way of [Pgx]. A type of the
// service's own that wraps one of these works too, as long as it has QueryContext
// as a *sql.Tx has it.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// ErrNoTransaction says that a *sql.DB was given where a transaction is needed.
var ErrNoTransaction = errors.New("not a transaction: what is written would stay even if the change beside it is rolled back")

// CheckTx returns [ErrNoTransaction] for a *sql.DB, which has the methods of a Tx but
// is not a transaction.
func CheckTx(tx Tx) error {
	if _, ok := tx.(*sql.DB); ok {
		return ErrNoTransaction
	}
	return nil
}

// Row is one row of an answer.
type Row interface {
	Scan(into ...any) error
}

// Query runs a query and calls each for every row, until each returns an error.
func Query(ctx context.Context, tx Tx, each func(Row) error, query string, args ...any) (err error) {
	switch q := tx.(type) {
	case interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}:
		rows, err := q.QueryContext(ctx, query, args...) //nolint:rowserrcheck // eachRow asks for it
		if err != nil {
			return err
		}
		return eachRow(standardRows{rows}, each)
	case interface {
		query(ctx context.Context, query string, args []any) (rows, error)
	}:
		rows, err := q.query(ctx, query, args)
		if err != nil {
			return err
		}
		return eachRow(rows, each)
	default:
		return fmt.Errorf("%T has no QueryContext: give a *sql.Tx, or database.Pgx of a pgx.Tx", tx)
	}
}

// QueryRow runs a query of one row and scans it. It returns sql.ErrNoRows where
// there is none.
func QueryRow(ctx context.Context, tx Tx, into []any, query string, args ...any) error {
	found := false
	err := Query(ctx, tx, func(row Row) error {
		found = true
		return row.Scan(into...)
	}, query, args...)
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// rows is what database/sql's rows and pgx's have in common.
type rows interface {
	Row

	Next() bool
	Err() error
	Close() error
}

func eachRow(r rows, each func(Row) error) (err error) {
	defer func() { err = errors.Join(err, r.Close()) }()
	for r.Next() {
		if err := each(r); err != nil {
			return err
		}
	}
	return r.Err()
}

type standardRows struct{ *sql.Rows }

// Pgx makes a Tx of a pgx.Tx. The type parameters are inferred; with them this
// package need not import pgx.
//
//	err := box.Enqueue(ctx, database.Pgx(tx), event)
func Pgx[T PgxTag, R PgxRows](tx PgxTx[T, R]) Tx { return pgxTx[T, R]{tx} }

// PgxTx is the part of a pgx.Tx that Pgx uses.
type PgxTx[T PgxTag, R PgxRows] interface {
	Exec(ctx context.Context, query string, args ...any) (T, error)
	Query(ctx context.Context, query string, args ...any) (R, error)
}

// PgxTag is the part of a pgconn.CommandTag that Pgx uses.
type PgxTag interface {
	RowsAffected() int64
}

// PgxRows is the part of a pgx.Rows that Pgx uses.
type PgxRows interface {
	Row

	Next() bool
	Err() error
	Close()
}

type pgxTx[T PgxTag, R PgxRows] struct{ tx PgxTx[T, R] }

// ExecContext implements Tx.
func (t pgxTx[T, R]) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tag, err := t.tx.Exec(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return affected(tag.RowsAffected()), nil
}

func (t pgxTx[T, R]) query(ctx context.Context, query string, args []any) (rows, error) {
	r, err := t.tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgxRows{r}, nil
}

type pgxRows struct{ PgxRows }

// Close ends the query; pgx tells of its error by Err.
func (r pgxRows) Close() error {
	r.PgxRows.Close()
	return nil
}

// affected is the result of a statement of pgx: the number of rows.
type affected int64

// LastInsertId implements sql.Result.
func (affected) LastInsertId() (int64, error) {
	return 0, errors.New("pgx knows no last id: use RETURNING")
}

// RowsAffected implements sql.Result.
func (a affected) RowsAffected() (int64, error) { return int64(a), nil }
