package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/replhub/replhub"
)

// pass publishes one batch of each shard that has rows, several shards at once.
// It reports whether there was any that no other relay held. late outlives ctx:
// what was published is deleted even though ctx ended meanwhile.
func (r *Relay) pass(ctx, late context.Context) (found bool, err error) {
	work, err := r.shards.withRows(ctx)
	if err != nil || len(work) == 0 {
		return false, err
	}
	// Relays that look at the same time begin at different shards.
	rand.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
	p := &progress{left: work}
	var workers sync.WaitGroup
	for range min(r.cfg.Workers, len(work)) {
		workers.Go(func() {
			for {
				shard, ok := p.next(ctx)
				if !ok {
					return
				}
				p.done(r.batch(ctx, late, shard))
			}
		})
	}
	workers.Wait()
	return p.found, p.err
}

// progress hands the shards of a pass out.
type progress struct {
	mu    sync.Mutex // guards what follows
	left  []int
	found bool
	err   error // the first; no shard is handed out after it
}

func (p *progress) next(ctx context.Context) (shard int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.left) == 0 || p.err != nil || ctx.Err() != nil {
		return 0, false
	}
	shard, p.left = p.left[0], p.left[1:]
	return shard, true
}

func (p *progress) done(found bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = p.found || found
	if p.err == nil {
		p.err = err
	}
}

// batch publishes the first rows of a shard, and deletes them. It does nothing
// when another relay holds the shard.
func (r *Relay) batch(ctx, late context.Context, shard int) (found bool, err error) {
	h, err := r.claim(ctx, late, shard)
	if err != nil {
		return false, fmt.Errorf("claim shard %d: %w", shard, err)
	}
	if h == nil {
		return false, nil
	}
	defer func() {
		if releaseErr := h.release(late); releaseErr != nil {
			err = errors.Join(err, fmt.Errorf("release shard %d: %w", shard, releaseErr))
		}
	}()
	rows, err := h.rows(ctx)
	if err != nil {
		return false, fmt.Errorf("read shard %d: %w", shard, err)
	}
	if len(rows) == 0 {
		return false, nil
	}
	out, publishErr := r.publish(ctx, rows)
	if len(out.published)+len(out.aside) > 0 {
		if err := h.settle(late, out); err != nil {
			return true, errors.Join(publishErr, fmt.Errorf("delete published rows of shard %d: %w", shard, err))
		}
		r.count(out)
	}
	return true, publishErr
}

// claim claims a shard. Where the database turns out to be another than before, a
// generation begins first.
func (r *Relay) claim(ctx, late context.Context, shard int) (hold, error) {
	for {
		h, err := r.shards.claim(ctx, late, shard)
		var moved movedError
		if !errors.As(err, &moved) {
			return h, err
		}
		if err := r.box.settleIn(ctx, r.cfg.DB, moved.place); err != nil {
			return nil, fmt.Errorf("begin a generation: %w", err)
		}
		if moved.recorded != "" {
			r.cfg.Logger.Warn("the outbox's database was restored, copied or failed over: events count as newer than all before", "table", r.box.cfg.Table, "was", moved.recorded, "is", moved.here)
		}
	}
}

// outcome is what became of the leading rows of a batch.
type outcome struct {
	published []int64 // ids
	aside     []refusal
}

// refusal is a row that can never be published.
type refusal struct {
	id  int64
	ev  replhub.Event
	err error
}

// publish publishes rows in order, without those that are poison. The error is
// that of the first row with which nothing was done.
func (r *Relay) publish(ctx context.Context, rows []row) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.PublishTimeout)
	defer cancel()
	var out outcome
	for len(rows) > 0 {
		n, err := r.publishPrefix(ctx, rows)
		for _, row := range rows[:n] {
			out.published = append(out.published, row.id)
		}
		rows = rows[n:]
		if err == nil {
			continue
		}
		if len(rows) == 0 || rows[0].broken == nil && !r.cfg.Poison(err) {
			return out, fmt.Errorf("publish: %w", err)
		}
		// Held up, a row that will never pass would hold its shard for ever.
		out.aside = append(out.aside, refusal{id: rows[0].id, ev: rows[0].ev, err: err})
		rows = rows[1:]
	}
	return out, nil
}

// publishPrefix publishes rows up to the first that is broken. It returns how
// many are stored, and the error of the one after them.
func (r *Relay) publishPrefix(ctx context.Context, rows []row) (stored int, err error) {
	events := make([]replhub.Event, 0, len(rows))
	var broken error
	for i := range rows {
		if broken = rows[i].broken; broken != nil {
			break
		}
		events = append(events, rows[i].ev)
	}
	if len(events) == 0 {
		return 0, broken
	}
	acks, err := r.publishAll(ctx, events)
	if len(acks) > len(events) || err == nil && len(acks) < len(events) {
		return 0, fmt.Errorf("publisher acknowledged %d of %d events without an error", len(acks), len(events))
	}
	for _, ack := range acks {
		if ack.Duplicate {
			r.counters.duplicates.Add(1)
		}
	}
	if err != nil {
		return len(acks), err
	}
	return len(acks), broken
}

// count counts, and tells of what was set aside, once that is committed.
func (r *Relay) count(out outcome) {
	r.counters.published.Add(uint64(len(out.published)))
	r.counters.setAside.Add(uint64(len(out.aside)))
	for _, a := range out.aside {
		r.cfg.Logger.Error("event can never be published and is set aside",
			"table", r.box.cfg.Table+"_failed", "row", a.id, "entity", a.ev.Entity, "op", string(a.ev.Op), "key", a.ev.Key, "id", a.ev.ID, keyErr, a.err)
	}
}
