package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub/internal/captured"
)

const (
	// recordEvents is the largest number of events between two records, and so of those
	// that are read back.
	recordEvents = 50_000
	// renewEvery is the age at which the record of an idle capture is written again. It
	// is less than the youngest age at which ingest is trimmed, so that the hub has to
	// renew the records only of captures that are away.
	renewEvery = 2 * time.Minute
	// mostAlarms bounds the alarms between two records.
	mostAlarms = 10_000
	// gather is how long an open append waits for more events than gatherEvents before
	// it sends what is there. The server sends its log row by row; without this, each row
	// would go through three processes by itself, which costs them three times as much.
	gather       = 500 * time.Microsecond
	gatherEvents = 128
	// settleAfter is how long an append stays open without another event.
	settleAfter = 5 * time.Millisecond
)

// writer takes what the stream reads and stores it. One goroutine runs it.
type writer struct {
	log       *captured.Log
	appender  *appender
	queue     *queue
	counts    *Counts
	status    *status
	confirmed *atomic.Uint64 // how far the slot may be confirmed
	// recordEvery is the shortest time between two records.
	recordEvery time.Duration

	// held is the record under which changes are appended.
	held   captured.Held
	stored captured.Position // the last change that is stored
	// storedIn and sentIn are the transactions of the last change that is stored and of
	// the last one that was sent; nil if they are not known.
	storedIn, sentIn *captured.Transaction
	// sent is the last change that was sent, reached what may be confirmed once that is
	// stored.
	sent    captured.Position
	reached captured.LSN
	done    captured.LSN // no change before it is missing
	// spent are rows of outboxes whose events were sent, and remove deletes them. cleaned is
	// how far none is left. While rows are locked, they are left until lockedUntil.
	spent       []*spent
	remove      func(ctx context.Context, rows []*spent) error
	cleaned     captured.LSN
	lockedUntil time.Time
	logger      *slog.Logger
	// alarms are those that the next record names, and tell tells of them.
	alarms []*alarm
	tell   func(a *alarm, first bool)
	// described are the tables as the record knows them.
	described *descriptions

	writtenAt time.Time // when the record was written
	since     int       // events since then
	sentBytes int       // of the events that are not known to be stored
	sentCount int

	items  []item
	events []*event
}

// run stores what comes until ctx ends or the outcome of an append is in doubt.
func (w *writer) run(ctx context.Context) error {
	// What was read back is not found out a second time, not even by a process that lives
	// for a moment only.
	if w.stored != w.held.Record.Position {
		if err := w.record(ctx, w.held.Record.Entities); err != nil {
			return err
		}
	}
	timer := time.NewTimer(w.recordEvery)
	defer timer.Stop()
	for {
		select {
		case <-w.queue.filled:
			if w.appender.unsettled() && w.queue.length() < gatherEvents {
				pause(ctx, gather)
			}
			if err := w.store(ctx); err != nil {
				return err
			}
		case <-timer.C:
			// No event came for a while: now it is worth the wait to know.
			if err := w.settle(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait, err := w.recordIfDue(ctx)
		if err != nil {
			return err
		}
		if w.appender.unsettled() {
			wait = min(wait, settleAfter)
		}
		timer.Reset(wait)
	}
}

// store appends what the queue has.
func (w *writer) store(ctx context.Context) error {
	w.items = w.queue.take(w.items[:0])
	w.events = w.events[:0]
	done := w.reached
	for _, it := range w.items {
		raised := it.alarm
		switch {
		case it.event != nil:
			if raised = w.appender.unfit(it.event); raised == nil {
				w.events = append(w.events, it.event)
				w.spends(it.event.spent)
			}
		case it.spent != nil:
			w.spends(it.spent)
		case it.alarm == nil:
			done = max(done, it.done)
		}
		if raised == nil {
			continue
		}
		if err := w.raise(ctx, raised); err != nil {
			return err
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	w.reached = done
	clear(w.items)
	if len(w.spent) >= mostSpent {
		return w.clean(ctx)
	}
	if w.appender.unsettled() && !w.appender.full() {
		return nil
	}
	return w.settle(ctx)
}

func (w *writer) spends(gone *spent) {
	if gone != nil {
		w.spent = append(w.spent, gone)
	}
}

// clean deletes the rows of outboxes whose events were sent, once these are stored. The
// slot is confirmed behind that, so that a row whose delete was cut off comes again. Rows
// that somebody has locked wait, and hold up only the slot.
func (w *writer) clean(ctx context.Context) error {
	if err := w.settle(ctx); err != nil {
		return err
	}
	if len(w.spent) > 0 {
		if time.Now().Before(w.lockedUntil) && len(w.spent) < mostLocked {
			return nil
		}
		err := w.remove(ctx, w.spent)
		if errors.Is(err, errLocked) && len(w.spent) < mostLocked {
			if w.lockedUntil.IsZero() {
				w.logger.Warn("rows of an outbox wait for their delete, and the slot for that; events are stored meanwhile", "rows", len(w.spent), "err", err)
			}
			w.lockedUntil = time.Now().Add(lockedPause)
			return nil
		}
		if err != nil {
			return err
		}
		if !w.lockedUntil.IsZero() {
			w.logger.Info("the rows of an outbox that waited are deleted", "rows", len(w.spent))
		}
		clear(w.spent)
		w.spent, w.lockedUntil = w.spent[:0], time.Time{}
	}
	w.cleaned = w.done
	return nil
}

// flush appends the events that were collected.
func (w *writer) flush(ctx context.Context) error {
	if len(w.events) == 0 {
		return nil
	}
	err := w.append(ctx, w.events)
	clear(w.events)
	w.events = w.events[:0]
	return err
}

// raise takes an alarm. The first one of a table is in a record before a later change is
// stored: whoever reads the log again skips what is stored, and the alarm with it.
func (w *writer) raise(ctx context.Context, a *alarm) error {
	named := w.held.Record
	for _, other := range w.alarms {
		named = other.in(named)
	}
	first := !a.named(named)
	w.tell(a, first)
	w.alarms = append(w.alarms, a)
	if !first && len(w.alarms) < mostAlarms {
		return nil
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if err := w.record(ctx, w.held.Record.Entities); err != nil {
		return err
	}
	if a.described != nil {
		w.described.set(a.described)
	}
	return nil
}

// settle makes sure that what was sent is stored.
func (w *writer) settle(ctx context.Context) error {
	if err := w.appender.settle(ctx); err != nil {
		return err
	}
	w.stored, w.storedIn, w.done = w.sent, w.sentIn, w.reached
	if w.sentCount > 0 {
		w.since += w.sentCount
		w.counts.Appends.Add(1)
		w.counts.Events.Add(uint64(w.sentCount))
		w.counts.Bytes.Add(uint64(w.sentBytes))
		w.sentCount, w.sentBytes = 0, 0
		w.status.change(func(s *Status) { s.Stored = w.stored })
	}
	return nil
}

// append appends events under a record that names their entities: by the record it is
// read back what is stored.
func (w *writer) append(ctx context.Context, events []*event) error {
	named, bytes := w.held.Record, 0
	for _, e := range events {
		named = named.WithEntity(e.entity)
		bytes += len(e.data)
	}
	if len(named.Entities) != len(w.held.Record.Entities) {
		if err := w.record(ctx, named.Entities); err != nil {
			return err
		}
	}
	if err := w.appender.append(ctx, events); err != nil {
		return err
	}
	w.sent, w.sentIn = events[len(events)-1].at, events[len(events)-1].within
	w.sentCount += len(events)
	w.sentBytes += bytes
	return nil
}

// recordIfDue writes a record if it is time, and returns how long the next one has to
// wait at least.
func (w *writer) recordIfDue(ctx context.Context) (time.Duration, error) {
	age := time.Since(w.writtenAt)
	locked := time.Until(w.lockedUntil)
	moved := w.reached > w.held.Record.Confirm && locked <= 0 || w.sent != w.held.Record.Position || len(w.alarms) > 0
	switch {
	case moved && (age >= w.recordEvery || w.since+w.sentCount >= recordEvents), age >= renewEvery:
		return w.recordEvery, w.record(ctx, w.held.Record.Entities)
	case moved:
		return w.recordEvery - age, nil
	case locked > 0:
		return min(locked, renewEvery-age), nil
	default:
		return renewEvery - age, nil
	}
}

// record writes a record of where the capture stands. Only then the slot is confirmed.
func (w *writer) record(ctx context.Context, entities []string) error {
	if err := w.clean(ctx); err != nil {
		return err
	}
	next := w.held.Record.Settled(captured.NewID(), w.stored, w.cleaned)
	next.Entities = entities
	if w.storedIn != nil {
		next.Last = w.storedIn
	}
	return w.write(ctx, w.alarmed(next))
}

// alarmed is a record with the alarms that were raised.
func (w *writer) alarmed(r captured.Record) captured.Record {
	for _, a := range w.alarms {
		r = a.in(r)
	}
	return r
}

func (w *writer) write(ctx context.Context, next captured.Record) error {
	held, err := w.log.Write(ctx, next, w.held.Seq)
	if err != nil {
		return classed(err)
	}
	w.hold(held)
	w.counts.Records.Add(1)
	return nil
}

// hold takes a record that is stored as the one to append under.
func (w *writer) hold(held captured.Held) {
	w.held, w.writtenAt, w.since = held, time.Now(), 0
	w.appender.under(held.Seq)
	clear(w.alarms)
	w.alarms = w.alarms[:0]
	w.confirmed.Store(uint64(held.Record.Confirm))
	w.status.change(func(s *Status) {
		s.Confirmed, s.Truncated, s.LeftOut = held.Record.Confirm, slices.Clone(held.Record.Truncated), slices.Clone(held.Record.LeftOut)
		s.Altered = slices.Clone(held.Record.Altered)
	})
}
