package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrConflict means that a transaction was given up in favour of another one, or for
// a time limit: none of its changes are kept, and it succeeds when it is run again
// from its beginning. [InTransaction] does that.
var ErrConflict = errors.New("the transaction was given up because of another one and is to be run again from its beginning")

// attempts is how often Retry runs. A conflict that lasts longer is not a
// coincidence.
const attempts = 10

// The time between two attempts, which doubles from the first to the last.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// Retry calls run until its error is no conflict ([Classify]), ten times at most,
// with pauses that grow to half a second. It returns the last error. run begins a
// transaction, and commits it or rolls it back:
//
//	err := database.Retry(ctx, func() error { return pgx.BeginFunc(ctx, pool, change) })
func Retry(ctx context.Context, run func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := run()
		if err == nil || !conflict(err) || ctx.Err() != nil {
			return err
		}
		if n == attempts {
			return fmt.Errorf("%d attempts: %w", n, err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause)) // rivals do not meet again
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w, after %w", context.Cause(ctx), err)
		}
		pause = min(2*pause, lastPause)
	}
}

func conflict(err error) bool { return errors.Is(err, ErrConflict) || Classify(err) == Conflict }

// InTransaction runs run in a transaction and commits it, or rolls it back when
// run returns an error or panics. After a conflict it does so again, as [Retry]
// does: run is called several times then, and must not keep what an earlier call
// did outside of the database. A nil opts is the database's default.
func InTransaction(ctx context.Context, db *sql.DB, opts *sql.TxOptions, run func(tx *sql.Tx) error) error {
	return Retry(ctx, func() error { return transact(ctx, db, opts, run) })
}

func transact(ctx context.Context, db *sql.DB, opts *sql.TxOptions, run func(tx *sql.Tx) error) (err error) {
	tx, err := begin(ctx, db, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { // also when run panics
		if rollbackErr := tx.Rollback(); !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = errors.Join(err, rollbackErr)
		}
	}()
	if err := run(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// begin begins a transaction. Other users of the pool may have broken many
// connections at once, as each context that ends during a statement does. Of these
// database/sql tries three and gives up with driver.ErrBadConn, which says that
// nothing was done; each attempt takes broken connections out of the pool.
func begin(ctx context.Context, db *sql.DB, opts *sql.TxOptions) (tx *sql.Tx, err error) {
	for range attempts {
		if tx, err = db.BeginTx(ctx, opts); !errors.Is(err, driver.ErrBadConn) {
			break
		}
	}
	return tx, err
}
