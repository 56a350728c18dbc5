package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// pass publishes one batch of all shards that have rows. After a batch that was full or
// failed it publishes several at once, each of one shard or of some. It reports whether
// there was a shard that no other relay held. late outlives ctx: what was published is deleted
// even though ctx ended meanwhile.
func (r *Relay) pass(ctx, late context.Context) (found bool, err error) {
	defer func() {
		if err != nil && !onlyUnpublished(err) {
			r.shards.forget()
		}
	}()
	work, many, err := r.shards.withRows(ctx)
	if err != nil || len(work) == 0 {
		return false, err
	}
	// Relays that look at the same time begin at different shards.
	rand.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
	p := &progress{left: slices.Collect(slices.Chunk(work, r.together(len(work), many)))}
	var workers sync.WaitGroup
	for range min(r.cfg.Workers, len(p.left)) {
		workers.Go(func() {
			for {
				some, ok := p.next(ctx)
				if !ok {
					return
				}
				p.done(r.batch(ctx, late, some))
			}
		})
	}
	workers.Wait()
	// After an error too: an event that fails for ever holds up its own shard alone.
	// SQLite has one writer, so that several shards at once would wait for each other.
	r.crowded, r.failed = p.most >= r.cfg.BatchSize && r.box.cfg.Dialect != database.SQLite, p.err != nil
	return p.most > 0, p.err
}

// together is how many shards one batch takes.
func (r *Relay) together(some int, many bool) int {
	switch {
	case many || r.failed:
		return 1
	case !r.crowded:
		return some
	case r.box.cfg.Dialect == database.MariaDB:
		return (some + r.cfg.Workers - 1) / r.cfg.Workers // each batch reads past all that was deleted
	default:
		return 1
	}
}

// unpublishedError says why events cannot be published while the database works.
type unpublishedError struct{ error }

func (e unpublishedError) Error() string { return "publish: " + e.error.Error() }

func (e unpublishedError) Unwrap() error { return e.error }

// onlyUnpublished reports whether nothing but the publishing failed.
func onlyUnpublished(err error) bool {
	_, only := err.(unpublishedError) //nolint:errorlint // one that is joined with another says nothing of that
	return only
}

// progress hands the shards of a pass out.
type progress struct {
	mu   sync.Mutex // guards what follows
	left [][]int
	most int   // rows in a batch
	err  error // the first, or the database's first; no shard is handed out after it
}

func (p *progress) next(ctx context.Context) (some []int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.left) == 0 || p.err != nil || ctx.Err() != nil {
		return nil, false
	}
	some, p.left = p.left[0], p.left[1:]
	return some, true
}

func (p *progress) done(found int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = max(p.most, found)
	if p.err == nil || err != nil && onlyUnpublished(p.err) && !onlyUnpublished(err) {
		p.err = err
	}
}

// batch publishes the first rows of some shards, and deletes them. It passes over
// shards that another relay holds. It returns how many rows it found.
func (r *Relay) batch(ctx, late context.Context, some []int) (found int, err error) {
	h, err := r.claim(ctx, late, some)
	if err != nil {
		return 0, fmt.Errorf("claim shards %d: %w", some, err)
	}
	if h == nil {
		return 0, nil
	}
	defer func() {
		if releaseErr := h.release(late); releaseErr != nil {
			err = errors.Join(err, fmt.Errorf("release shards %d: %w", some, releaseErr))
		}
	}()
	rows, err := h.rows(ctx)
	if err != nil {
		return 0, fmt.Errorf("read shards %d: %w", some, err)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	out, publishErr := r.publish(ctx, rows)
	if len(out.published)+len(out.aside) > 0 {
		if err := h.settle(late, out); err != nil {
			return len(rows), errors.Join(publishErr, fmt.Errorf("delete published rows of shards %d: %w", some, err))
		}
		r.count(out)
	}
	return len(rows), publishErr
}

// claim claims shards. Where the database turns out to be another than before, a
// generation begins first.
func (r *Relay) claim(ctx, late context.Context, some []int) (hold, error) {
	for {
		h, err := r.shards.claim(ctx, late, some)
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

// outcome is the outcome of the leading rows of a batch.
type outcome struct {
	published []row
	aside     []refusal
}

// refusal is a row that can never be published.
type refusal struct {
	row
	err error
}

// publish publishes rows in order, except poison rows. The error is that of the first
// row that was neither published nor refused.
func (r *Relay) publish(ctx context.Context, rows []row) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.PublishTimeout)
	defer cancel()
	var out outcome
	for len(rows) > 0 {
		n, err := r.publishPrefix(ctx, rows)
		out.published = append(out.published, rows[:n]...)
		rows = rows[n:]
		if err == nil {
			continue
		}
		if len(rows) == 0 || rows[0].broken == nil && !r.cfg.Poison(err) {
			return out, unpublishedError{err}
		}
		// Held up, a row that will never pass would hold its shard for ever.
		out.aside = append(out.aside, refusal{row: rows[0], err: err})
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

// count counts the rows, and logs those that were set aside, after the commit.
func (r *Relay) count(out outcome) {
	r.counters.published.Add(uint64(len(out.published)))
	r.counters.setAside.Add(uint64(len(out.aside)))
	for _, a := range out.aside {
		r.cfg.Logger.Error("event can never be published and is set aside",
			"table", r.box.cfg.Table+"_failed", "row", a.id, "entity", a.ev.Entity, "op", string(a.ev.Op), "key", a.ev.Key, "id", a.ev.ID, keyErr, a.err)
	}
}
