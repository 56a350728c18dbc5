package retention

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/subjects"
)

// Policy says which events a trim of ingest keeps beside those that lanes need.
type Policy struct {
	// History is how long events are kept. Guard is how long they are kept even when
	// ingest is nearly full: a server that syncs lazily can lose a lane's newest
	// copies, and the dedupe window is rebuilt from what ingest holds.
	History, Guard time.Duration
	// FullBytes is the size from which ingest is nearly full, and history is purged
	// so that publishers are not refused; 0 means never.
	FullBytes uint64
}

// cutoff is the time before which an event must have been stored to be purged.
func (p Policy) cutoff(now time.Time, full bool) time.Time {
	if full {
		return now.Add(-p.Guard)
	}
	return now.Add(-max(p.History, p.Guard))
}

// Trimmed is the result of a trim.
type Trimmed struct {
	// Full says that ingest is nearly full. Looked says that the lanes were read,
	// because some event is old enough to be purged.
	Full, Looked bool
	// Need is what the lanes need; zero unless Looked.
	Need Need
	// Unfenced are the lanes whose state record could not be written, with the reason.
	// What a registration in such a lane pinned is kept. After a loss of pins all events
	// are kept.
	Unfenced map[subjects.Name]error
	// Unproven says that the event at the earliest mark is not the lane's: ingest was
	// rolled back or created again, and no event is purged until the lanes have
	// noticed.
	Unproven bool
	// Bounds is what ingest held before the purge.
	Bounds Bounds
	// Floor is the first sequence kept by decision, Purged how many events were
	// purged.
	Floor, Purged uint64
	// Below is the sequence below which only the lane Need.Pinner keeps events of a
	// full ingest; 0 if something else keeps them.
	Below uint64
}

// Trim moves the floor to the first event that the lowest lane still needs, and
// purges the events below it that are old enough. One hub should do it; a second one
// does no harm.
func Trim(p Policy, then func(Trimmed) Step) Step {
	t := &trim{policy: p, then: then}
	return Look{t.begin}
}

// trim is one trim under way.
type trim struct {
	policy Policy
	then   func(Trimmed) Step
	// now is when the trim began.
	now  time.Time
	done Trimmed
	// pinnings is the count of pinnings from before the look at the lanes.
	pinnings uint64
	// epoch is the current epoch of the ledger by which the lanes are judged. If another
	// epoch begins meanwhile, a lane's place may differ from the one that was read.
	epoch uint64
	// ledger is the ledger from before the look at the lanes.
	ledger Ledger
	// below is the sequence below which this trim may purge: every event below it was
	// found to be neither needed nor pinned. The floor of an earlier trim may be higher,
	// but after a rollback that was not noticed yet, there are new events below it.
	below uint64
}

func (t *trim) begin(b Bounds, now time.Time) Step {
	t.now, t.done.Bounds = now, b
	t.done.Full = t.policy.FullBytes > 0 && b.Bytes >= t.policy.FullBytes
	if !t.done.Full && b.FirstTime.After(now.Add(-t.policy.History)) {
		return t.then(t.done) // all events are history to be kept: no need to ask the lanes
	}
	return t.fence()
}

func (t *trim) counted(r Read) Step {
	l := r.Ledger
	if r.Revision == 0 {
		l = r.lastKnown()
	}
	t.pinnings, t.done.Floor = l.Pinnings, l.Floor
	latest, _ := r.latest()
	t.epoch, t.ledger = latest.Current().Epoch, latest
	return Remember{latest, func() Step { return LookAtLanes{t.lookedAt} }}
}

func (t *trim) lookedAt(n Need) Step {
	t.done.Looked, t.done.Need = true, n
	if len(n.Unknown) > 0 {
		return t.then(t.done) // lanes that cannot be read may need any event
	}
	return Look{func(b Bounds, _ time.Time) Step {
		b = t.ledger.filled(b)
		t.done.Bounds = b
		if b.Messages == 0 {
			return t.then(t.done)
		}
		return n.proven(t.proven)
	}}
}

func (t *trim) proven(is bool) Step {
	if !is {
		t.done.Unproven = true
		return t.then(t.done)
	}
	return t.done.Bounds.SeqAt(t.policy.cutoff(t.now, t.done.Full), t.raise)
}

// raise moves the floor before the purge, so that a registration that is answered in
// between sees the floor, and not the events about to be purged.
func (t *trim) raise(old uint64) Step {
	b := t.done.Bounds
	// Never the last event: it proves the end of the sequence to a reader.
	want := min(t.done.Need.Seq, old, b.Last)
	if want <= b.First {
		return t.stuck()
	}
	return update(func(l *Ledger, _ time.Time) (bool, error) {
		if !l.Current().Created.Equal(b.Created) {
			return false, errCreatedAgain
		}
		allowed, known := t.allowed(l, want)
		if t.below = allowed; !known || allowed <= l.Floor {
			return false, nil // if the limit is not known, the next trim looks again
		}
		l.Floor = allowed
		// Not up to the floor: until the purge, a search may look at events below it.
		l.Erased = l.Erased.within(b.First, 0)
		return true, nil
	}, t.raised)
}

// allowed is Ledger.allowed for this trim. known is also false if another epoch began or
// the ledger was lost since the look at the lanes.
func (t *trim) allowed(l *Ledger, want uint64) (seq uint64, known bool) {
	if len(l.Epochs) == 0 || l.Current().Epoch != t.epoch || l.Lost > 0 {
		return 0, false
	}
	return l.allowed(want, t.pinnings)
}

func (t *trim) raised(l Ledger) Step {
	t.done.Floor = l.Floor
	if t.below <= t.done.Bounds.First {
		return t.then(t.done) // pins keep ingest, or changed: to detach a lane would not help
	}
	return ReadLedger{t.confirmed}
}

// confirmed continues if the stored ledger still has the floor. If the ledger was deleted
// meanwhile, a hub that does not know the floor may have answered a registration.
func (t *trim) confirmed(r Read) Step {
	if r.Ledger.Floor < t.below {
		return t.changed()
	}
	if allowed, known := t.allowed(&r.Ledger, t.below); !known || allowed < t.below {
		return t.changed()
	}
	return timeAt(t.done.Bounds.Last, t.purge)
}

// purge removes the events that this trim decided on, if ingest still holds the last
// event that the decision knew. Ingest was then neither created again nor rolled back to
// before that event, so no event below it is new.
func (t *trim) purge(last time.Time, found bool) Step {
	if b := t.done.Bounds; !found || !last.Equal(b.LastTime) {
		return t.changed()
	}
	t.done.Purged = t.below - t.done.Bounds.First
	return Purge{t.below, func() Step { return t.then(t.done) }}
}

// changed ends a trim whose decision no longer holds. The next trim looks again.
func (t *trim) changed() Step {
	return Done{fmt.Errorf("ingest or its ledger changed during a trim to %d: nothing was removed", t.below)}
}

// stuck ends a trim that purged nothing. If ingest is full, it finds out whether a lane
// is the reason.
func (t *trim) stuck() Step {
	b, n := t.done.Bounds, t.done.Need
	if !t.done.Full || !n.Pinned {
		return t.then(t.done)
	}
	return b.SeqAt(t.now.Add(-t.policy.Guard), func(old uint64) Step {
		if limit := min(old, b.Last); limit > b.First && n.Seq < limit {
			t.done.Below = limit // otherwise events too young to be purged fill ingest, not the lane
		}
		return t.then(t.done)
	})
}
