package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/contract"
)

// A published version consists of a generation and, below it, the key's own count.
// The tables hold counts; the relay adds the generation in force as it publishes.
// Nothing in Enqueue depends on it, and rows that a restore brought back leave under
// the new generation.
const (
	// counterBits is the room for the count: 1.7e13, which takes milliseconds since
	// 1970 as the owner's own versions.
	counterBits = contract.OutboxCounterBits
	// maxVersion is the largest count, and the largest Version that an event may
	// bring.
	maxVersion = 1<<counterBits - 1
	// maxGeneration leaves the sign. In hours it lasts until 2085.
	maxGeneration = 1<<(63-counterBits) - 1
)

// checkVersion refuses what would reach into the generation's bits.
func checkVersion(version int64) error {
	if version > maxVersion {
		return invalid("Version", "is %d; at most %d, since the outbox's generation stands above it (milliseconds fit, microseconds do not)", version, int64(maxVersion))
	}
	return nil
}

// versionIn is a row's version in a generation; 0 stays 0, which means none.
func versionIn(generation, count int64) (int64, error) {
	switch {
	case count == 0:
		return 0, nil
	case count < 0 || count > maxVersion:
		return 0, invalid("Version", "is %d in the table; must be 0 to %d", count, int64(maxVersion))
	}
	return generation<<counterBits | count, nil
}

// place is where the outbox's tables lie, in words of the database's own, and the
// generation in force there. A place that differs from the recorded one means
// that the database was restored, copied or failed over, so that versions may be
// given a second time.
type place struct {
	generation     int64
	recorded, here string
}

// moved reports whether a new generation is due. A database that does not tell
// its place has none.
func (p place) moved() bool { return p.here != "" && p.here != p.recorded }

// NewGeneration makes every event that is published from now on count as newer than
// all earlier ones, and returns the generation's number. Call it once after the
// database was restored from a backup, before or after relays run: the restored
// database assigns versions a second time, and subscribers would treat the new
// changes as old.
//
// On PostgreSQL a relay begins a generation by itself after a point-in-time recovery
// or a fail-over (another timeline), in another cluster, and where the tables were
// created again, as pg_restore does. It cannot notice that a snapshot of the disk or
// the virtual machine was put back, or that rows alone were restored into the tables;
// nor does it notice anything on MariaDB and SQLite.
//
// The number is the number of hours since 2026, or one more than the last one, so
// that it exceeds even generations that the backup does not contain. A number beyond
// 524,287 is an error. [Outbox.GenerationStatement] returns the statement for doing
// the same by hand.
func (o *Outbox) NewGeneration(ctx context.Context, db *sql.DB) (generation int64, err error) {
	err = database.InTransaction(ctx, db, o.readCommitted(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, o.GenerationStatement()); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, o.sql.generation).Scan(&generation)
	})
	if err != nil {
		return 0, fmt.Errorf("new generation: %w", err)
	}
	return generation, nil
}

// GenerationStatement is the statement with which [Outbox.NewGeneration] begins a
// generation, for those who restore a database by hand. On PostgreSQL:
//
//	UPDATE replhub_outbox_generation SET generation = GREATEST(generation + 1, (floor(extract(epoch FROM now())) - 1767225600)::bigint / 3600)
func (o *Outbox) GenerationStatement() string { return o.sql.newGeneration }

// settleIn records a place and begins a generation there, unless another relay
// has done so. The first place that is recorded is where the outbox began: its
// generation stays.
func (o *Outbox) settleIn(ctx context.Context, db *sql.DB, p place) error {
	statement := o.sql.settle
	if p.recorded != "" {
		statement = o.sql.newGeneration + ", place = $1 WHERE place = $2"
	}
	_, err := db.ExecContext(ctx, statement, p.here, p.recorded)
	return err
}

// errNoPlace is for servers like PostgreSQL that lack the functions which tell a
// place, or keep them to themselves.
var errNoPlace = errors.New("the database does not tell where it is")

// whereabouts finds out whether the database tells its place.
func (o *Outbox) whereabouts(ctx context.Context, db *sql.DB) error {
	var serves bool
	err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT to_regclass('%s_versions') IS NOT NULL AND NOT pg_is_in_recovery()", o.cfg.Table)).Scan(&serves)
	if err != nil {
		return fmt.Errorf("find the outbox: %w", err)
	}
	if !serves {
		return fmt.Errorf("no table %s_versions that can be written: Migrate creates it", o.cfg.Table)
	}
	var here string
	err = db.QueryRowContext(ctx, "SELECT "+o.sql.place).Scan(&here)
	switch class := database.Classify(err); {
	case err == nil:
		return nil
	case class == database.Unavailable, class == database.Conflict, ctx.Err() != nil:
		return fmt.Errorf("find out where the database is: %w", err)
	default:
		return errors.Join(errNoPlace, err)
	}
}
