package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Inbox guards the effects of deliveries. It is safe for concurrent use.
type Inbox struct {
	cfg   Config
	sql   statements
	stats counters
	// writers are those of ReplicateBatch and Replicate.
	writers writers
	// waiting is a table beside the inbox's own.
	waiting waitingTable
	// expired is when this process last looked for deliveries that no longer wait, in
	// nanoseconds since 1970.
	expired atomic.Int64
	// shapeDoubt is how old the known types of a table have to be for a second
	// look before a value is refused.
	shapeDoubt time.Duration
	// regressed are the origins that were warned about.
	regressed sync.Map
}

// New checks the config. It does not use the database; see Migrate.
func New(cfg Config) (*Inbox, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	text, err := newStatements(cfg.Dialect, cfg.Table)
	if err != nil {
		return nil, err
	}
	waiting, err := newWaitingTable(cfg.Dialect, cfg.Table)
	if err != nil {
		return nil, err
	}
	return &Inbox{cfg: cfg, sql: text, waiting: waiting, shapeDoubt: shapeDoubt}, nil
}

// Apply calls effect once, in tx, if d is newer than the change last applied to its
// (entity, key), and records d in the same transaction. Otherwise it writes nothing,
// and the Outcome says why.
//
// It holds the lock of the key's row until tx ends; other calls for the same key
// wait. A transaction that applies several keys should take them in the same order
// everywhere, or be ready to be refused in a deadlock.
//
// After an error, including effect's own, tx must be rolled back: if committed, it
// would record the effect as made. [Inbox.Do] does that. Where the database has given
// tx up for another transaction, the error is database.ErrConflict, tx is rolled
// back, and the whole transaction should be run again, as database.InTransaction
// does.
func (i *Inbox) Apply(ctx context.Context, tx database.Tx, d *replhub.Delivery, effect func() error) (Outcome, error) {
	if err := database.CheckTx(tx); err != nil {
		return 0, fmt.Errorf("inbox: %w", err)
	}
	outcome, err := i.apply(ctx, tx, d, effect)
	if err != nil {
		return 0, abandoned(tx, err)
	}
	return i.stats.count(outcome, d), nil
}

func (i *Inbox) apply(ctx context.Context, tx database.Tx, d *replhub.Delivery, effect func() error) (Outcome, error) {
	r, err := i.record(d)
	if err != nil {
		return 0, fmt.Errorf("inbox: %w", err)
	}
	outcome, err := i.pass(ctx, tx, r)
	if err != nil {
		return 0, fmt.Errorf("inbox: %w", err)
	}
	if outcome != Applied {
		return outcome, nil
	}
	if err := effect(); err != nil {
		return 0, fmt.Errorf("effect on %s %q: %w", r.entity, r.key, err)
	}
	return Applied, nil
}

// pass decides on r and, where it wins, writes it.
func (i *Inbox) pass(ctx context.Context, tx database.Tx, r record) (Outcome, error) {
	if i.cfg.Policy == nil && i.sql.upsert != "" {
		return i.passByUpsert(ctx, tx, r)
	}
	return i.passByLock(ctx, tx, r)
}

// passByUpsert leaves the decision to the database: one statement where r wins.
// Where it does not, the statement has locked the row all the same, so that it
// still is what r lost against when it is read.
func (i *Inbox) passByUpsert(ctx context.Context, tx database.Tx, r record) (Outcome, error) {
	written, err := tx.ExecContext(ctx, i.sql.upsertFor(r), r.args(time.Now())...)
	if err != nil {
		return 0, fmt.Errorf("write row: %w", err)
	}
	if n, err := written.RowsAffected(); err != nil || n > 0 {
		return Applied, err
	}
	current, err := readStamp(ctx, tx, i.sql.read, r.entity, []byte(r.key))
	if err != nil {
		return 0, fmt.Errorf("read row: %w", err)
	}
	return i.lost(current, r), nil
}

// lost is the outcome of r where it did not win over current. A publisher that
// seems to have begun to count again is warned about once.
func (i *Inbox) lost(current Stamp, r record) Outcome {
	if regressed(current, r.stamp) {
		if _, told := i.regressed.LoadOrStore(r.stamp.Origin, true); !told {
			i.cfg.Logger.Warn("a publisher gave a lower version after a greater one, and that change is skipped; "+
				"if its database was restored from a backup, begin a new generation of its outbox (package outbox says how), else all its changes are passed over until they pass the old versions",
				slog.String(keyOrigin, r.stamp.Origin), slog.String(keyEntity, r.entity), slog.String(keyRow, shown(r.key)),
				slog.Int64(keyVersion, r.stamp.Version), slog.Int64(keyApplied, current.Version))
		}
		return regression
	}
	return lost(current, r.stamp)
}

// passByLock locks the row, decides, and writes.
func (i *Inbox) passByLock(ctx context.Context, tx database.Tx, r record) (Outcome, error) {
	current, err := i.lock(ctx, tx, r.entity, r.key)
	if err != nil {
		return 0, err
	}
	next, outcome := i.resolve(current, r)
	if outcome != Applied {
		return outcome, nil
	}
	args := append(next.args(time.Now()), r.entity, []byte(r.key))
	if _, err := tx.ExecContext(ctx, i.sql.write, args...); err != nil {
		return 0, fmt.Errorf("write row: %w", err)
	}
	return Applied, nil
}

// resolve decides on r where current was applied last, and returns the stamp of
// what is applied then.
func (i *Inbox) resolve(current Stamp, r record) (Stamp, Outcome) {
	policy := i.cfg.Policy
	if policy == nil {
		policy = Newest
	}
	if decide(policy, current, r.stamp, r.ofSnapshot) != Applied {
		return current, i.lost(current, r)
	}
	next := r.stamp
	if r.ofSnapshot {
		next = merged(current, next)
	}
	if i.cfg.Policy == nil {
		next.Version = keepVersion(current, next)
	}
	return next, Applied
}

func (i *Inbox) lock(ctx context.Context, tx database.Tx, entity, key string) (Stamp, error) {
	current, err := readStamp(ctx, tx, i.sql.lock, entity, []byte(key), toNano(time.Now()))
	if err != nil {
		return Stamp{}, fmt.Errorf("lock row: %w", err)
	}
	return current, nil
}

// Current returns the stamp of the change last applied to (entity, key) and locks its
// row until tx ends; a zero Stamp means that no change was applied. A service that
// writes a key which others write too, under ByVersion or ByTime, calls it in the
// transaction of that write, and publishes the write with a version, or a time,
// greater than the one returned. Otherwise the write is in this database but loses
// everywhere else, and the replicas differ. database.ErrConflict means the same as
// with [Inbox.Apply].
func (i *Inbox) Current(ctx context.Context, tx database.Tx, entity, key string) (Stamp, error) {
	current, err := i.lock(ctx, tx, entity, key)
	if err != nil {
		return Stamp{}, abandoned(tx, fmt.Errorf("inbox: %w", err))
	}
	return current, nil
}

// abandoned ends a caller's transaction where the database has, or may have: it
// could be committed otherwise, without what was written before. After other
// errors it is the caller's.
func abandoned(tx database.Tx, err error) error {
	if database.Classify(err) != database.Conflict {
		return err
	}
	return database.Abandon(tx, err)
}
