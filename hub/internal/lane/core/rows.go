package core

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// rowsPatience is how long live events wait for an owner.
const rowsPatience = 50 * time.Millisecond

// rows are a lane's fetches of snapshots' rows: at most one chunk of each snapshot is
// on its way or in memory. The zero rows works.
type rows struct {
	last  int               // number of the last fetch
	of    map[string]*fetch // by the id of the interest
	drops []int             // fetches that are to be dropped
	taken time.Time         // when a chunk was last taken
	// counts are about how many rows the owners have, by the ids of the fills' rows.
	counts map[string]uint64
}

// fetch is a fetch of the rows that follow a place.
type fetch struct {
	number int
	from   record.Snapshot
	// came says that the rows are there; no rows mean the end of the snapshot.
	came   bool
	rows   []*event.Event
	origin string
	// trouble is why the rows have not come yet, as far as that is known.
	trouble string
}

// follows reports whether the fetch is for the next rows of a snapshot.
func (f *fetch) follows(s *record.Snapshot) bool {
	return f.from.ID == s.ID && f.from.Row == s.Row && f.from.After == s.After
}

// ready reports whether there are rows for a fill.
func (r *rows) ready(fill record.Fill) bool {
	f := r.of[fill.IDs[0]]
	return f != nil && f.came && f.follows(fill.Snapshot)
}

// next returns the fetch of a fill's next rows; nil when there is none.
func (r *rows) next(fill record.Fill) *fetch {
	f := r.of[fill.IDs[0]]
	if f == nil || !f.follows(fill.Snapshot) {
		return nil
	}
	return f
}

func (r *rows) find(number int) *fetch {
	for _, f := range r.of {
		if f.number == number {
			return f
		}
	}
	return nil
}

// begin notes a fetch. The earlier fetch of the same interest is over.
func (r *rows) begin(in record.Interest, from record.Snapshot) FetchRows {
	if r.of == nil {
		r.of = make(map[string]*fetch)
	}
	r.last++
	r.of[in.ID] = &fetch{number: r.last, from: from}
	return FetchRows{Number: r.last, Interest: in, From: from}
}

// keep drops the fetches that a state does not need.
func (r *rows) keep(s record.State) {
	for id, f := range r.of {
		wanted := slices.ContainsFunc(s.Fills, func(fill record.Fill) bool {
			return fill.Snapshot != nil && fill.IDs[0] == id && f.follows(fill.Snapshot)
		})
		if !wanted {
			r.drop(f.number)
			delete(r.of, id)
		}
	}
	slices.Sort(r.drops) // a map's order is random, and a simulation must be repeatable
}

// about returns about how many rows the owners of a state's fills have, by the ids of the
// fills' rows. It forgets those of other fills.
func (r *rows) about(s record.State) map[string]uint64 {
	maps.DeleteFunc(r.counts, func(id string, _ uint64) bool {
		return !slices.ContainsFunc(s.Fills, func(fill record.Fill) bool { return fill.RowsID() == id })
	})
	return maps.Clone(r.counts)
}

func (r *rows) dropAll() { r.keep(record.State{}) }

func (r *rows) drop(number int) { r.drops = append(r.drops, number) }

func (r *rows) nextDrop() Step {
	number := r.drops[0]
	r.drops = r.drops[1:]
	return DropRows{number}
}

// troubles returns, by the ids of interests, why there are no rows; nil without
// trouble.
func (r *rows) troubles() map[string]string {
	var all map[string]string
	for id, f := range r.of {
		if f.trouble != "" {
			if all == nil {
				all = make(map[string]string)
			}
			all[id] = f.trouble
		}
	}
	return all
}

// RowsCame brings the rows of a fetch, whose owner named itself origin; none at the
// end of the snapshot. Rows of a dropped fetch are ignored.
func (l *Lane) RowsCame(number int, rows []*event.Event, origin string) {
	if f := l.rows.find(number); f != nil {
		f.came, f.rows, f.origin, f.trouble = true, rows, origin, ""
		l.report.dirty = true
	}
}

// RowsCounted says about how many rows the owner of a fetch has in all; 0 where it does not
// say.
func (l *Lane) RowsCounted(number int, all uint64) {
	for id, f := range l.rows.of {
		if f.number == number && all > 0 {
			if l.rows.counts == nil {
				l.rows.counts = make(map[string]uint64)
			}
			l.rows.counts[cmp.Or(f.from.ID, id)] = all
			l.report.dirty = true
		}
	}
}

// RowsLate says why the rows of a fetch have not come yet.
func (l *Lane) RowsLate(number int, why string) {
	if f := l.rows.find(number); f != nil && !f.came {
		f.trouble = why
		l.report.dirty = true
	}
}

// nextFetch makes sure that the next rows are being fetched: those of the first
// snapshot whose owner answers, and of all before it whose owner did not answer. A
// full lane fetches no rows.
func (p *phases) nextFetch() (next Step, full error) {
	for _, fill := range p.view.tip.State.Fills {
		if fill.Snapshot == nil {
			continue
		}
		f := p.rows.of[fill.IDs[0]]
		if f == nil {
			if allowed, step, full := p.room.ensure(); allowed == 0 {
				return step, full
			}
			p.room.end()
			return p.fetch(fill.IDs[0], *fill.Snapshot), nil
		}
		if f.trouble == "" {
			return nil, nil
		}
	}
	return nil, nil
}

// fetch begins to fetch the rows that follow a place in an interest's snapshot.
func (p *phases) fetch(id string, from record.Snapshot) Step {
	for _, in := range p.view.tip.State.Interests {
		if in.ID == id {
			return p.rows.begin(in, from)
		}
	}
	return nil
}

// nextRows copies the next rows of the snapshot under way. While there are none, live
// events have their turn.
func (p *phases) nextRows(w World) Step {
	if p.sliceOver(w) {
		return p.toLive()
	}
	s := p.view.tip.State
	f := p.rows.next(s.Fills[0])
	if f == nil || !f.came {
		return p.awaitRows(w, f)
	}
	p.rows.taken = w.Now
	delete(p.rows.of, s.Fills[0].IDs[0])
	if len(f.rows) == 0 {
		p.rows.drop(f.number)
		done := s.Fills[0]
		complete := Note{Kind: SnapshotComplete, Fill: done, Lasted: w.Clock.Sub(done.Snapshot.Began)}
		return draft{State: s.RowsDone(w.Clock), Why: WhyFillDone, note: &complete}
	}
	// The owner prepares the next rows while these are copied.
	last := f.rows[len(f.rows)-1]
	p.copier.work = &work{events: f.rows, fill: true, rows: f.number, keyed: len(s.Fills[0].Snapshot.Keys) > 0}
	return p.fetch(s.Fills[0].IDs[0], s.Fills[0].Snapshot.Moved(last.Row, last.Key, f.origin))
}

// awaitRows waits for the rows of the fill under way, unless other work can continue.
func (p *phases) awaitRows(w World, f *fetch) Step {
	if i, ok := p.readyFill(); ok {
		return draft{State: p.view.tip.State.InFill(i), Why: WhyPhase}
	}
	late := p.began
	if p.rows.taken.After(late) {
		late = p.rows.taken
	}
	stuck := f != nil && f.trouble != ""
	switch {
	case stuck || (w.Now.Sub(late) > rowsPatience && p.liveWaits(w)):
		return p.toLive()
	case p.window.isOpen(): // the lane may wait long
		return p.window.settle()
	}
	return Wait{D: rowsPatience}
}
