package engine

import (
	"context"
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
	done   captured.LSN      // no change before it is missing
	// truncated are tables that the next record names.
	truncated []string

	writtenAt time.Time // when the record was written
	since     int       // events since then

	items  []item
	events []*event
}

// run stores what comes until ctx ends or the outcome of an append is in doubt.
func (w *writer) run(ctx context.Context) error {
	timer := time.NewTimer(w.recordEvery)
	defer timer.Stop()
	for {
		select {
		case <-w.queue.filled:
			if err := w.store(ctx); err != nil {
				return err
			}
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait, err := w.recordIfDue(ctx)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// store appends what the queue has.
func (w *writer) store(ctx context.Context) error {
	w.items = w.queue.take(w.items[:0])
	w.events = w.events[:0]
	done, named := w.done, w.held.Record
	for _, it := range w.items {
		switch {
		case it.event != nil:
			w.events = append(w.events, it.event)
			named = named.WithEntity(it.event.entity)
		case it.truncated != "":
			w.truncated = append(w.truncated, it.truncated)
		default:
			done = max(done, it.done)
		}
	}
	if len(w.events) > 0 {
		// The record names an entity before the first change of it: by the record it is
		// read back what is stored.
		if len(named.Entities) != len(w.held.Record.Entities) {
			if err := w.record(ctx, named.Entities); err != nil {
				return err
			}
		}
		if err := w.appender.append(ctx, w.events); err != nil {
			return err
		}
		w.stored = w.events[len(w.events)-1].at
		w.count()
	}
	w.done = done
	clear(w.items)
	return nil
}

func (w *writer) count() {
	bytes := 0
	for _, e := range w.events {
		bytes += len(e.data)
	}
	w.since += len(w.events)
	w.counts.Appends.Add(1)
	w.counts.Events.Add(uint64(len(w.events)))
	w.counts.Bytes.Add(uint64(bytes))
	w.status.change(func(s *Status) { s.Stored = w.stored })
	clear(w.events)
}

// recordIfDue writes a record if it is time, and returns how long the next one has to
// wait at least.
func (w *writer) recordIfDue(ctx context.Context) (time.Duration, error) {
	age := time.Since(w.writtenAt)
	moved := w.done > w.held.Record.Confirm || w.stored != w.held.Record.Position || len(w.truncated) > 0
	switch {
	case moved && (age >= w.recordEvery || w.since >= recordEvents), age >= renewEvery:
		return w.recordEvery, w.record(ctx, w.held.Record.Entities)
	case moved:
		return w.recordEvery - age, nil
	default:
		return renewEvery - age, nil
	}
}

// record writes a record of where the capture stands. Only then the slot is confirmed.
func (w *writer) record(ctx context.Context, entities []string) error {
	next := w.held.Record.Settled(captured.NewID(), w.stored, w.done)
	next.Entities = entities
	for _, table := range w.truncated {
		next = next.WithTruncated(table)
	}
	return w.write(ctx, next)
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
	w.truncated = w.truncated[:0]
	w.confirmed.Store(uint64(held.Record.Confirm))
	w.status.change(func(s *Status) {
		s.Confirmed, s.Truncated = held.Record.Confirm, slices.Clone(held.Record.Truncated)
	})
}
