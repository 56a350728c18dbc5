package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jackc/pglogrepl"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

const contentJSON = "application/json"

// lookup reads columns of a row that the stream left out. It returns the tuple with them;
// false when the row is gone.
type lookup interface {
	// await returns once other sessions see what a transaction did.
	await(ctx context.Context, xid uint32) error
	fill(ctx context.Context, r *relation, row change.Tuple, missing []int) (found bool, err error)
}

// decoder turns the messages of the stream into events. It knows of no connection: what
// it decides depends on the messages, the tables and the lookup alone.
type decoder struct {
	tables change.Tables
	rows   lookup
	log    *slog.Logger
	counts *Counts
	lift   uint64
	stored captured.Position // events up to here are stored, and skipped
	outbox string            // the prefix of messages that are events; empty for none
	emit   func(event)
	spend  func(*spent)       // takes a row of an outbox whose event is stored already
	finish func(captured.LSN) // no change before an LSN is missing, once what was emitted is stored
	// alarm takes what ingest cannot express.
	alarm func(alarm)

	proof     proof
	described *descriptions
	relations map[uint32]*relation
	spends    bool // there is an outbox whose rows are deleted
	inside    bool // a transaction has begun and not ended
	commit    captured.LSN
	began     *captured.Transaction
	xid       uint32 // of the transaction
	awaited   uint32 // the transaction that others are known to see
	lastLSN   captured.LSN
	row       uint32 // the number of the message at lastLSN
	change    rowChange
	missing   []int
	arena     []byte
}

// arenaSize is the size of a piece of memory that the payloads of several events share.
const arenaSize = 64 << 10

// message takes one message of the stream, which begins at an LSN.
func (d *decoder) message(ctx context.Context, lsn captured.LSN, data []byte) error {
	if len(data) == 0 {
		return errShort
	}
	switch data[0] {
	case msgBegin:
		return d.begin(data)
	case msgCommit:
		return d.end(data)
	case msgRelation:
		return d.describe(ctx, data)
	case msgInsert, msgUpdate, msgDelete:
		return d.changed(ctx, lsn, data)
	case msgTruncate:
		return d.truncate(lsn, data)
	case msgMessage:
		return d.emitted(lsn, data)
	default: // types and origins: nothing depends on them
		return nil
	}
}

func (d *decoder) begin(data []byte) error {
	if len(data) < 21 {
		return errShort
	}
	d.xid = binary.BigEndian.Uint32(data[17:])
	d.commit = captured.LSN(binary.BigEndian.Uint64(data[1:]))
	d.inside, d.lastLSN, d.row = true, 0, 0
	d.began = &captured.Transaction{Commit: d.commit, XID: d.xid, Time: int64(binary.BigEndian.Uint64(data[9:]))}
	if !d.proof.begins(*d.began) {
		return otherHistory(d.commit)
	}
	return nil
}

// otherHistory is the problem of a log that is not the one of what is stored.
func otherHistory(at captured.LSN) error {
	return problemf(WentBack, "changes are in ingest of a transaction that the log of this database does not have, up to %s (it was restored, or put back to an earlier copy, and has gone on from there): %s", at, resyncHint)
}

func (d *decoder) end(data []byte) error {
	if len(data) < 18 {
		return errShort
	}
	d.inside = false
	d.counts.Transactions.Add(1)
	d.finish(captured.LSN(binary.BigEndian.Uint64(data[10:])))
	return nil
}

// idle takes the news that the server has sent everything before an LSN. Inside of a
// transaction that says nothing: its changes lie before its commit.
func (d *decoder) idle(upTo captured.LSN) error {
	if d.inside {
		return nil
	}
	if !d.proof.passed(upTo) {
		return otherHistory(upTo)
	}
	d.finish(upTo)
	return nil
}

// place is the position of the message at an LSN, of the first event of at most two.
func (d *decoder) place(lsn captured.LSN) captured.Position {
	if lsn == d.lastLSN {
		d.row++
	} else {
		d.lastLSN, d.row = lsn, 0
	}
	return captured.Position{Commit: d.commit, Change: lsn, Number: 2 * d.row}
}

// changed takes an insert, an update or a delete.
func (d *decoder) changed(ctx context.Context, lsn captured.LSN, data []byte) error {
	at := d.place(lsn)
	second := captured.Position{Commit: at.Commit, Change: at.Change, Number: at.Number + 1}
	stored := second.Compare(d.stored) <= 0
	if stored {
		d.counts.Skipped.Add(1)
		if !d.spends {
			return nil
		}
	}
	c := &d.change
	if err := c.read(data); err != nil {
		return err
	}
	r := d.relations[c.relation]
	switch {
	case r == nil:
		return fmt.Errorf("a change of table %d came without a description of the table", c.relation)
	case r.table == nil && r.outbox == nil, stored && r.outbox == nil:
		return nil
	case c.hasNew && len(c.new) != len(r.Columns) || c.hasOld && len(c.old) != len(r.Columns):
		return fmt.Errorf("table %s: a row does not have the columns of the table's description", r.name())
	}
	if r.outbox != nil {
		if data[0] == msgInsert {
			d.enqueued(r, at, at.Compare(d.stored) <= 0)
		}
		return nil // a row is an event when it comes, and none when it goes
	}
	return d.events(ctx, r, data[0], at, lsn)
}

// refused is the error of a change that cannot become an event for a reason that concerns
// more than its row. The change stays in the log, so whoever changes the row alone finds it
// again.
func refused(r *relation, lsn captured.LSN, err error) error {
	return problemf(Refused, "table %s, change at %s: %w. The change stays in the log: mend the table and then start once with --resync, "+
		"or name a key of other columns with --key, leave the column out with --exclude, or leave the table out", r.name(), lsn, err)
}

// leaveOut leaves out a change that is unfit by its own values, and stops for every other
// error. The alarm is stored before a later change is, so that it is never lost.
func (d *decoder) leaveOut(r *relation, at captured.Position, lsn captured.LSN, err error) error {
	if !change.Unfit(err) {
		return refused(r, lsn, err)
	}
	d.alarm(alarm{leftOut: captured.LeftOut{Table: r.name(), Changes: 1, At: at, Why: err.Error()}})
	return nil
}

// events makes the events of a row's change.
func (d *decoder) events(ctx context.Context, r *relation, kind byte, at captured.Position, lsn captured.LSN) error {
	c := &d.change
	if kind == msgDelete {
		return d.deleted(r, c.old, at, lsn)
	}
	d.missing = slices.DeleteFunc(c.complete(&r.Relation, d.missing), func(i int) bool { return !r.table.Wanted(i) })
	op := subjects.Update
	if kind == msgInsert {
		op = subjects.Create
	} else if moved, err := d.moved(r); err != nil {
		return refused(r, lsn, err)
	} else if moved {
		if err := d.deleted(r, c.old, at, lsn); err != nil {
			return err
		}
		at.Number++
		op = subjects.Create
	}
	newKey, err := r.table.Key(c.new)
	if err != nil {
		return d.leaveOut(r, at, lsn, err)
	}
	if len(d.missing) > 0 {
		found, err := d.lookUp(ctx, r)
		if err != nil {
			return fmt.Errorf("table %s: read a large value that the log leaves out: %w", r.name(), err)
		}
		if !found {
			// A later change in the log deletes the row, or changes its key: the state
			// of this moment no longer exists anywhere.
			d.counts.Superseded.Add(1)
			return nil
		}
	}
	start := len(d.room())
	whole, err := r.table.Row(d.arena, c.new)
	if err != nil {
		return d.leaveOut(r, at, lsn, err)
	}
	d.arena = whole
	d.send(r, op, newKey, at, lsn, d.arena[start:len(d.arena):len(d.arena)])
	return nil
}

// lookUp reads the missing values. A commit is in the log, and is sent, before others see
// it, with synchronous replication long before. A read that did not see the transaction
// would find an older value, or no row.
func (d *decoder) lookUp(ctx context.Context, r *relation) (found bool, err error) {
	d.counts.Lookups.Add(1)
	if d.awaited != d.xid {
		if err := d.rows.await(ctx, d.xid); err != nil {
			return false, err
		}
		d.awaited = d.xid
	}
	return d.rows.fill(ctx, r, d.change.new, d.missing)
}

// moved reports whether a change gave its row another key. Where the message has no old
// row, the key has not changed. A key that is unfit differs from every other one.
func (d *decoder) moved(r *relation) (bool, error) {
	c := &d.change
	if !c.hasOld || sameColumns(c.old, c.new, r.table.KeyColumns()) {
		return false, nil
	}
	before, err := r.table.Key(c.old)
	if err != nil {
		return change.Unfit(err), notUnfit(err)
	}
	after, err := r.table.Key(c.new)
	return err != nil || before != after, notUnfit(err)
}

// notUnfit is an error that concerns more than one row; nil for every other one.
func notUnfit(err error) error {
	if change.Unfit(err) {
		return nil
	}
	return err
}

// deleted makes the event of a row that is gone, or has another key. A row whose key is
// unfit was never published, so nothing is lost with it.
func (d *decoder) deleted(r *relation, old change.Tuple, at captured.Position, lsn captured.LSN) error {
	key, err := r.table.Key(old)
	if change.Unfit(err) {
		return nil
	}
	if err != nil {
		return refused(r, lsn, err)
	}
	start := len(d.room())
	gone, err := r.table.KeyRow(d.arena, old)
	if err != nil {
		return d.leaveOut(r, at, lsn, err)
	}
	d.arena = gone
	d.send(r, subjects.Delete, key, at, lsn, d.arena[start:len(d.arena):len(d.arena)])
	return nil
}

// room makes sure that the arena has some room, and returns it.
func (d *decoder) room() []byte {
	if cap(d.arena)-len(d.arena) < arenaSize/4 {
		d.arena = make([]byte, 0, arenaSize)
	}
	return d.arena
}

func (d *decoder) send(r *relation, op subjects.Op, key string, at captured.Position, lsn captured.LSN, data []byte) {
	if at.Compare(d.stored) <= 0 {
		return
	}
	d.emit(event{
		at: at, within: d.began, entity: r.table.Entity(), op: op, key: key, version: uint64(lsn) + d.lift, from: r.name(),
		contentType: contentJSON, data: data,
	})
}

// truncate takes the news that tables were emptied. An event is a change of one row, so
// it cannot say that.
func (d *decoder) truncate(lsn captured.LSN, data []byte) error {
	if at := d.place(lsn); at.Compare(d.stored) <= 0 {
		return nil
	}
	parsed, err := pglogrepl.Parse(data)
	if err != nil {
		return fmt.Errorf("read a truncate: %w", err)
	}
	msg, ok := parsed.(*pglogrepl.TruncateMessage)
	if !ok {
		return errShort
	}
	for _, id := range msg.RelationIDs {
		if r := d.relations[id]; r != nil && r.table != nil {
			d.alarm(alarm{truncated: r.name()})
		}
	}
	return nil
}
