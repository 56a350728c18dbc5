package outbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strings"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Enqueue writes the event into the outbox within tx. The caller commits tx; the
// event is published after that.
//
// Enqueue checks the event, because a later error could not reach the caller: if the
// error is replhub.ErrInvalidEvent or replhub.ErrTooLarge, no row was written. Any
// other error is the database's, and the transaction cannot continue: Enqueue rolls
// it back when tx has the Rollback of a *sql.Tx, and its Commit then fails.
// database.ErrConflict among these says that the transaction succeeds when it is run
// again from its beginning, as database.InTransaction does: a deadlock, or on MariaDB
// a row that has changed since the transaction's snapshot (error 1020). MariaDB then
// rolls the transaction back without telling the driver. A caller that gets such an
// error from a statement of its own must not call Enqueue afterwards; Enqueue would
// return database.ErrNoTransaction.
//
// An event without an ID is given one. An event with a key (replhub.KeyOf) is given
// the key's next version, or its own Version if that is greater. Until tx ends, other
// transactions that enqueue the same key wait. Enqueue several keys in the same order
// everywhere; otherwise the database ends a deadlock by refusing one transaction. With
// Config.Log an event has no ID, no version but its own, and no transaction waits.
func (o *Outbox) Enqueue(ctx context.Context, tx database.Tx, ev replhub.Event) error {
	if err := database.CheckTx(tx); err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	r, err := o.row(ctx, ev)
	if err != nil {
		return fmt.Errorf("enqueue %s.%s: %w", ev.Entity, ev.Op, err)
	}
	write := o.insert
	if o.cfg.Log {
		write = o.emit
	}
	if err := write(ctx, tx, r); err != nil {
		return fmt.Errorf("enqueue %s.%s (id %q): %w", ev.Entity, ev.Op, r.ev.ID, database.Abandon(tx, pooled(err)))
	}
	o.audience.expect()
	return nil
}

// row is an event in the form of the table.
type row struct {
	id     int64
	shard  int
	ev     replhub.Event // with Key and ID
	header string        // of ev as JSON; empty is none
	broken error         // why ev could not be read back from the table
}

func (o *Outbox) row(ctx context.Context, ev replhub.Event) (*row, error) {
	if o.cfg.Trace != nil {
		ev.Header = withTrace(ev.Header, o.cfg.Trace(ctx))
	}
	ev.Key = replhub.KeyOf(ev)
	if ev.ID == "" {
		ev.ID = rand.Text()
	}
	if err := check(&ev, o.cfg.MaxBytes); err != nil {
		return nil, err
	}
	r := &row{ev: ev, shard: shard(&ev, o.cfg.Shards)}
	if len(ev.Header) > 0 {
		header, err := json.Marshal(ev.Header)
		if err != nil {
			return nil, fmt.Errorf("encode headers: %w", err)
		}
		r.header = string(header)
	}
	if r.ev.Data == nil {
		r.ev.Data = []byte{} // nil would be NULL
	}
	return r, nil
}

func withTrace(own map[string][]string, trace map[string]string) map[string][]string {
	if len(trace) == 0 {
		return own
	}
	all := make(map[string][]string, len(own)+len(trace))
	for name, value := range trace {
		all[name] = []string{value}
	}
	for name := range own {
		// Clients of other languages write "Traceparent".
		maps.DeleteFunc(all, func(traced string, _ []string) bool { return strings.EqualFold(traced, name) })
	}
	maps.Copy(all, own)
	return all
}

// shard spreads keys. Events without a key have no order: their ids are spread.
func shard(ev *replhub.Event, shards int) int {
	h := fnv.New32a()
	h.Write([]byte(ev.Entity))
	h.Write([]byte{'.'})
	if ev.Key != "" {
		h.Write([]byte(ev.Key))
	} else {
		h.Write([]byte(ev.ID))
	}
	return int(h.Sum32() % uint32(shards))
}

func (o *Outbox) insert(ctx context.Context, tx database.Tx, r *row) error {
	ev := &r.ev
	now := time.Now().UnixMilli()
	switch {
	case ev.Key == "":
		return o.execOne(ctx, tx, o.sql.insert,
			r.shard, ev.Entity, string(ev.Op), ev.Key, ev.Version, ev.ID, ev.ContentType, r.header, ev.Data, now)
	case o.sql.version == "":
		return o.execOne(ctx, tx, o.sql.insertKeyed,
			r.shard, ev.Entity, string(ev.Op), ev.Key, ev.Version, ev.ID, ev.ContentType, r.header, ev.Data, now)
	}
	if err := o.execOne(ctx, tx, o.sql.version, ev.Entity, ev.Key, max(1, ev.Version)); err != nil {
		return err
	}
	// This is the second statement, so that the id is drawn under the version's lock.
	return o.execOne(ctx, tx, o.sql.insertKeyed,
		r.shard, ev.Entity, string(ev.Op), ev.Key, ev.Entity, ev.Key, ev.ID, ev.ContentType, r.header, ev.Data, now)
}

// execOne runs a statement that writes a row within a transaction, and none
// without one.
func (o *Outbox) execOne(ctx context.Context, tx database.Tx, statement string, args ...any) error {
	statement, args = o.bound(statement, args)
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: none was begun, or the database rolled it back at an error before", database.ErrNoTransaction)
	}
	return err
}

// pooled adds advice to an error about a prepared statement: behind a pooler, the
// statement belongs to another client.
func pooled(err error) error {
	stated, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	if !ok || stated.SQLState() != "42P05" && stated.SQLState() != "26000" {
		return err
	}
	return fmt.Errorf("%w: a pooler lends the connection by transaction and keeps no prepared statements; have the driver prepare none (pgx: default_query_exec_mode=exec)", err)
}
