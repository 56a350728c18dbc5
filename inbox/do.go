package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Do is Apply in a transaction of its own: it begins one, applies, and commits, or
// rolls back. When the database gives the transaction up in favour of another, Do
// tries again (Config.Retries), so effect may be called more than once and should
// have no effects outside tx. A commit that returns an error may have happened;
// another Do then returns Duplicate.
//
// The transaction has the database's default isolation. On MariaDB it is READ
// COMMITTED: the default there, REPEATABLE READ, also locks the gaps between rows, and
// transactions of other keys wait or end in deadlocks.
func (i *Inbox) Do(ctx context.Context, db *sql.DB, d *replhub.Delivery, effect func(ctx context.Context, tx *sql.Tx) error) (Outcome, error) {
	outcome, err := i.do(ctx, db, d, effect)
	i.stats.refused(err)
	return outcome, err
}

func (i *Inbox) do(ctx context.Context, db *sql.DB, d *replhub.Delivery, effect func(ctx context.Context, tx *sql.Tx) error) (Outcome, error) {
	return i.retrying(ctx, d, func() (Outcome, error) { return i.once(ctx, db, d, effect) })
}

// retrying calls try until the database lets it through, and counts.
func (i *Inbox) retrying(ctx context.Context, d *replhub.Delivery, try func() (Outcome, error)) (Outcome, error) {
	for attempt := 0; ; attempt++ {
		outcome, err := try()
		if err == nil {
			return i.stats.count(outcome, d), nil
		}
		if attempt >= i.cfg.Retries || !i.retryable(err) || !pause(ctx, attempt) {
			return 0, err
		}
		i.stats.retries.Add(1)
	}
}

func (i *Inbox) once(ctx context.Context, db *sql.DB, d *replhub.Delivery, effect func(ctx context.Context, tx *sql.Tx) error) (outcome Outcome, err error) {
	var options *sql.TxOptions
	if i.cfg.Dialect == database.MariaDB {
		options = i.readCommitted()
	}
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return 0, fmt.Errorf("inbox: begin: %w", err)
	}
	// After a commit this does nothing; after an effect that panics it frees the connection.
	defer tx.Rollback() //nolint:errcheck // nothing was promised of a transaction that is given up
	outcome, err = i.apply(ctx, tx, d, func() error { return effect(ctx, tx) })
	if err != nil || outcome != Applied {
		return outcome, err
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("inbox: commit the effect on %s %q: %w", d.Entity, shown(i.cfg.Key(d)), err)
	}
	return Applied, nil
}

// pause waits longer after each attempt, about 2 ms to half a second, so that
// those who met do not meet again. It reports false when ctx has ended.
func pause(ctx context.Context, attempt int) bool {
	longest := 4 * time.Millisecond << min(attempt, 7)
	timer := time.NewTimer(longest/2 + rand.N(longest/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryable reports whether err says that the transaction was rolled back for
// the sake of another, and would go through by itself.
func (i *Inbox) retryable(err error) bool {
	return i.cfg.Retryable != nil && i.cfg.Retryable(err) || database.Classify(err) == database.Conflict
}
