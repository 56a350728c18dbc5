package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

// Resync makes the slot again and publishes every row as it is at the slot's beginning,
// with a version that is higher than all before and lower than all that follow. Then Run
// goes on from there. It is for a slot that was lost, and for a database that went back.
// A row that was deleted while no slot was there is not in the database any more, so
// Resync does not tell of it.
//
// What is unavailable is waited for; a resync that was cut off begins again. Another
// process that captures the slot is an error.
func (e *Engine) Resync(ctx context.Context, rows change.Rows) error {
	wait := e.cfg.RetryMin
	for {
		err := e.resync(ctx, rows)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if e.failed(err).lasting() {
			return err
		}
		pause(ctx, wait)
		wait = min(2*wait, e.cfg.RetryMax)
	}
}

func (e *Engine) resync(ctx context.Context, rows change.Rows) (err error) {
	conn, err := pgconn.ConnectConfig(ctx, replicating(e.cfg.Database, e.cfg.SenderTimeout))
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		_ = conn.Close(ctx) // what counts is stored in ingest
	}()
	if err := e.lockSoon(ctx, conn); err != nil {
		return err
	}
	log, err := e.openLog(ctx)
	if err != nil {
		return err
	}
	// The claim comes before the slot is dropped: it keeps out whoever captured it.
	before, stored, err := log.Claim(ctx)
	if err != nil && !errors.Is(err, captured.ErrNone) && !errors.Is(err, captured.ErrTrimmed) && !errors.Is(err, captured.ErrForeign) {
		return classed(err)
	}
	fresh, err := e.newSlot(ctx, conn)
	if err != nil {
		return err
	}
	return e.publishRows(ctx, log, rows, plan(before, stored, fresh), fresh.snapshot)
}

// lockSoon takes the slot's lock. A process that has ended may keep it for a moment, and
// one that is frozen until the server gives its connection up.
func (e *Engine) lockSoon(ctx context.Context, conn *pgconn.PgConn) error {
	deadline := time.Now().Add(2 * e.cfg.SenderTimeout)
	for {
		held, err := lock(ctx, conn, e.cfg.Slot)
		switch {
		case err != nil || held:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Now().After(deadline):
			return problemf(Refused, "another process captures the slot %s: stop it first", e.cfg.Slot)
		}
		pause(ctx, e.cfg.StandbyEvery)
	}
}

// freshSlot is a slot that was just made.
type freshSlot struct {
	system   string
	timeline int32
	// start is the LSN from whose commits on the slot sends transactions, and oldest the
	// LSN from which their changes may be.
	start, oldest captured.LSN
	// snapshot has what was committed before start. It lasts until the connection runs
	// another command.
	snapshot string
}

// newSlot drops the slot and makes it again.
func (e *Engine) newSlot(ctx context.Context, conn *pgconn.PgConn) (freshSlot, error) {
	s, err := look(ctx, conn, e.cfg.Slot)
	if err != nil {
		return freshSlot{}, err
	}
	if s.exists {
		if err := pglogrepl.DropReplicationSlot(ctx, conn, e.cfg.Slot, pglogrepl.DropReplicationSlotOptions{Wait: true}); err != nil {
			return freshSlot{}, fmt.Errorf("drop the slot %s: %w", e.cfg.Slot, err)
		}
	}
	made, err := pglogrepl.CreateReplicationSlot(ctx, conn, e.cfg.Slot, "pgoutput", pglogrepl.CreateReplicationSlotOptions{
		Mode: pglogrepl.LogicalReplication, SnapshotAction: "EXPORT_SNAPSHOT",
	})
	if err != nil {
		return freshSlot{}, fmt.Errorf("make the slot %s: %w", e.cfg.Slot, err)
	}
	fresh := freshSlot{system: s.system, timeline: s.timeline, snapshot: made.SnapshotName}
	if err := fresh.start.UnmarshalText([]byte(made.ConsistentPoint)); err != nil {
		return freshSlot{}, err
	}
	fresh.oldest, err = e.oldest(ctx)
	return fresh, err
}

// oldest asks, over another connection, from where the slot may send changes.
func (e *Engine) oldest(ctx context.Context) (lsn captured.LSN, err error) {
	conn, err := pgconn.ConnectConfig(ctx, &reading(e.cfg.Database).Config)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	row, err := one(ctx, conn, "SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = "+quoteLiteral(e.cfg.Slot), 1)
	if err != nil {
		return 0, fmt.Errorf("look at slot %s: %w", e.cfg.Slot, err)
	}
	return lsn, lsn.UnmarshalText([]byte(row[0]))
}

// planned is what a resync writes: a record to begin with, and the version of the rows.
type planned struct {
	record  captured.Record
	behind  uint64
	version uint64
}

// unknownLift is taken for a lift of which no record is known: a TiB of log.
const unknownLift = 1 << 40

// plan decides the versions. A version is the LSN of a change and the lift. The rows get
// one that is higher than every version before: those lie below the last commit that is
// stored, or the slot's beginning, with the old lift. The new lift makes the version of
// every change that the new slot can send higher than the rows': none of them has an LSN
// below the slot's oldest.
//
// Without a record nobody knows the old lift, because ingest was lost. The margin stands
// for it: each resync adds about as much log to the lift as the slot was behind.
func plan(before captured.Held, stored captured.Position, fresh freshSlot) planned {
	highest := max(stored.Commit, before.Record.Confirm, fresh.start)
	lift := before.Record.Lift
	if before.Record.ID == "" {
		lift = unknownLift
	}
	version := uint64(highest) + lift + 1
	return planned{
		record: captured.Record{
			ID: captured.NewID(), System: fresh.system, Timeline: fresh.timeline, Confirm: fresh.start,
			Lift: max(lift, version+1-min(version, uint64(fresh.oldest))), Resync: true,
		},
		behind: before.Seq, version: version,
	}
}

// publishRows publishes all rows between two records. Whoever finds the first one alone
// knows that rows are missing.
func (e *Engine) publishRows(ctx context.Context, log *captured.Log, rows change.Rows, p planned, snapshot string) error {
	p.record.Writer = e.cfg.Writer
	held, err := log.Write(ctx, p.record, p.behind)
	if err != nil {
		return classed(err)
	}
	batches, err := newBatches(e.cfg.JS.Conn())
	if err != nil {
		return classed(err)
	}
	defer batches.close()
	w := e.writer(log, batches, begun{held: held})
	began := time.Now()
	out := &rowWriter{writer: w, version: p.version, commit: p.record.Confirm, stored: e.cfg.OnResync}
	if err := rows.Rows(ctx, snapshot, func(r change.Row) error { return out.add(ctx, r) }); err != nil {
		return err
	}
	if err := out.flush(ctx); err != nil {
		return err
	}
	last := w.held.Record.Settled(captured.NewID(), w.stored, w.held.Record.Confirm)
	last.Resync = false
	if err := w.write(ctx, w.alarmed(last)); err != nil {
		return err
	}
	e.cfg.Logger.Info("every row was published again", "slot", e.cfg.Slot, "rows", out.n, "took", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// rowWriter appends rows in batches. Their positions lie before every change of the slot:
// their commit is its beginning, and the LSN of their change is 0.
type rowWriter struct {
	writer  *writer
	version uint64
	commit  captured.LSN
	n       uint32
	bytes   int
	waiting []*event
	stored  func(rows uint64) // called with the number of rows stored; may be nil
}

func (o *rowWriter) add(ctx context.Context, r change.Row) error {
	at := captured.Position{Commit: o.commit, Number: o.n}
	o.n++
	e := &event{at: at, from: r.Name, entity: r.Table.Entity(), op: subjects.Update, version: o.version, contentType: contentJSON}
	var err error
	if e.key, err = r.Table.Key(r.Tuple); err == nil {
		e.data, err = r.Table.Row(nil, r.Tuple)
	}
	if err != nil && !change.Unfit(err) {
		return problemf(Refused, "row %d: %w; name a key of other columns with --key, or leave the column out with --exclude, and start again with --resync", o.n, err)
	}
	unfit := &alarm{leftOut: captured.LeftOut{Table: r.Name, Changes: 1, At: at}}
	if err == nil {
		unfit = o.writer.appender.unfit(e)
	} else {
		unfit.leftOut.Why = err.Error()
	}
	if unfit != nil {
		if err := o.flush(ctx); err != nil {
			return err
		}
		return o.writer.raise(ctx, unfit)
	}
	o.waiting = append(o.waiting, e)
	if o.bytes += e.size(); o.bytes < appendBytes && len(o.waiting) < appendEvents {
		return nil
	}
	return o.flush(ctx)
}

func (o *rowWriter) flush(ctx context.Context) error {
	if len(o.waiting) == 0 {
		return nil
	}
	err := o.writer.append(ctx, o.waiting)
	if err == nil {
		err = o.writer.settle(ctx)
	}
	o.waiting, o.bytes = slices.Delete(o.waiting, 0, len(o.waiting)), 0
	if err == nil && o.stored != nil {
		o.stored(uint64(o.n))
	}
	return err
}
