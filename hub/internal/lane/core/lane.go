package core

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/subjects"
)

// Config configures a Lane. Only Service is required.
type Config struct {
	Service subjects.Name
	// Fast says that the server supports appends that stay open.
	Fast bool
	// Compile makes an interest ready to judge events, or the rows of a snapshot if
	// that is not nil. It must be pure, and may cache. Nil means
	// record.Interest.CompileFor.
	Compile func(in record.Interest, of *record.Snapshot) (*match.Interest, error)
	// Expand must have the result of match.Table.Expand; a driver's version bounds
	// how many large payloads are decoded at a time. Nil means match.Table.Expand.
	Expand func(*match.Table, *event.Event) match.Decision
}

// World is the driver's knowledge that is not the answer to a step.
type World struct {
	// Now is the process's clock, by which the lane waits. Clock is the clock of
	// ingest, which times records and stalls.
	Now, Clock time.Time
	// Owned says that this hub copies into the lane, Parked that it must not.
	Owned, Parked bool
	// Held says that the lane's state record has an older policy than was in force:
	// nothing is copied until it has the newer one, which a change brings.
	Held bool
	// Change is the kind of change that a caller waits for, if any.
	Change Wanted
	// End is the last event that the hub has read in.
	End event.Position
	// MaxPayload is the server's max_payload in bytes.
	MaxPayload int
}

// Wanted is the kind of the change that has waited longest.
type Wanted int

// Kinds of changes.
const (
	WantsNothing Wanted = iota
	WantsEdit           // of the state alone
	WantsRedrive        // of the state, with copies in front of it
)

// Lane is one writer's knowledge of its lane. Each part knows one thing. A part returns
// the next step of its concern, or nil after a decision that needs no step; Lane orders
// the concerns (next) and applies an outcome to all parts that it concerns (fail).
type Lane struct {
	now, clock time.Time // World.Now and Clock of the last Next or Follow
	asked      Step      // the step that is not yet answered
	askedAt    time.Time // when the last step was asked that needs an answer
	standing   bool      // the last step was to stand at the end of ingest

	view    view    // what is read of the stream
	window  window  // the appends
	journal journal // the state records
	room    room    // the lane's limit
	rows    rows    // the fetches of snapshots' rows
	copier  copier  // the events being copied
	phases  phases  // which events are copied next
	changes changes // the changes that callers wait for
	trouble trouble // failures and stalls
	report  report  // what a driver publishes
}

// New makes a Lane without any knowledge of its stream.
func New(cfg Config) *Lane {
	if cfg.Compile == nil {
		cfg.Compile = record.Interest.CompileFor
	}
	if cfg.Expand == nil {
		cfg.Expand = (*match.Table).Expand
	}
	l := &Lane{view: view{service: cfg.Service, interest: cfg.Compile}}
	l.window = window{fast: cfg.Fast, counts: &l.report.counts}
	l.trouble = trouble{report: &l.report, stall: episode.Episode{Settle: settleStall}}
	l.room = room{view: &l.view, window: &l.window}
	l.copier = copier{
		view: &l.view, window: &l.window, journal: &l.journal, room: &l.room, rows: &l.rows, trouble: &l.trouble, decide: cfg.Expand,
	}
	l.phases = phases{
		view: &l.view, window: &l.window, journal: &l.journal, room: &l.room, rows: &l.rows, copier: &l.copier, trouble: &l.trouble,
	}
	l.changes = changes{view: &l.view, room: &l.room}
	return l
}

// Next returns the next step. The step before must have been answered.
func (l *Lane) Next(w World) Step {
	if l.asked != nil {
		panic(fmt.Sprintf("lane: %T was not answered", l.asked))
	}
	l.now, l.clock, l.standing = w.Now, w.Clock, false
	for {
		switch step := l.next(w).(type) {
		case nil: // a decision was made that needs no step
		case draft:
			l.journal.draft = &step
		case giveUp:
			l.fail(Failure{Err: step.err})
		case Wait:
			l.standing = step.Stand
			return step
		case FetchRows, DropRows, Answer, RefuseChanges:
			return step
		default:
			l.asked, l.askedAt = step, l.now
			return step
		}
	}
}

// giveUp is a part's decision that the work under way cannot continue. Next performs
// it.
type giveUp struct{ err error }

func (giveUp) step() {}

// next is one round of Next.
func (l *Lane) next(w World) Step {
	if step, owed := l.nextOwed(); owed {
		return step
	}
	switch {
	case l.journal.draft != nil && l.unconfirmed():
		return ConfirmTip{}
	case l.journal.draft != nil:
		return l.window.settleBefore(l.journal.write(l.view.tip.Last, l.window.patience.time()))
	case l.view.known != read:
		return l.window.settleBefore(l.view.next())
	case w.Held && l.copier.work != nil:
		l.copier.abandon() // the events are judged by the policies that come
		return nil
	case l.working() && l.unconfirmed():
		return ConfirmTip{}
	case l.changes.change != nil:
		return l.changes.next(w)
	case l.copier.work != nil:
		return l.copier.next(w)
	case l.view.stale:
		l.view.reread()
		return nil
	case w.Change != WantsNothing:
		return l.beginChange(w)
	case w.Held && w.Owned:
		return l.hold()
	case !w.Owned || w.Parked || l.view.idle():
		return l.rest()
	}
	return l.phases.next(w)
}

// nextOwed is what comes before all work: what the lane owes to others, and a pause.
func (l *Lane) nextOwed() (step Step, owed bool) {
	switch {
	case len(l.rows.drops) > 0:
		return l.rows.nextDrop(), true
	case l.changes.answer != nil:
		return l.changes.nextAnswer(), true
	case l.trouble.failure != nil:
		return l.trouble.diagnose(l.view.readTo), true
	case l.changes.refuse != nil:
		return l.changes.nextRefusal(), true
	case l.trouble.pause != nil:
		return l.trouble.nextPause(), true
	}
	return nil, false
}

// working reports whether there is work that may end in an append, a dead letter or a
// purge.
func (l *Lane) working() bool {
	k := l.copier.work
	return l.changes.change != nil || k != nil && (k.begun || len(k.events) > 0)
}

// beginChange begins the change that has waited longest, once all sent messages are
// stored.
func (l *Lane) beginChange(w World) Step {
	if l.window.isOpen() {
		return l.window.settle()
	}
	l.phases.readIn, l.copier.leave = nil, nil
	l.changes.begin(w.Change)
	return nil
}

// rest waits for something to copy. Meanwhile the lane holds no shared resource,
// because other lanes wait for it.
func (l *Lane) rest() Step {
	if l.window.isOpen() {
		return l.window.settle()
	}
	l.rows.dropAll()
	if len(l.rows.drops) > 0 {
		return nil
	}
	l.phases.readIn, l.copier.leave = nil, nil
	l.trouble.rests(l.clock)
	return Wait{Release: true}
}

// holdFor is the time between two looks of a lane that is held.
const holdFor = time.Second

// hold waits for a newer policy.
func (l *Lane) hold() Step {
	step := l.rest()
	if w, ok := step.(Wait); ok {
		w.D = holdFor
		return w
	}
	return step
}

// Failed answers a step that did not succeed.
func (l *Lane) Failed(f Failure) {
	if l.asked == nil {
		panic("lane: a failure of no step")
	}
	switch l.asked.(type) {
	case Append, Settle, Record:
		if f.Late {
			l.window.patience.missed()
		}
	}
	l.asked = nil
	l.fail(f)
}

// fail gives up the work under way. After a failure the knowledge in memory is not
// trusted: the lane is read again.
func (l *Lane) fail(f Failure) {
	l.changes.failed(f)
	l.abandon()
	l.view.known = unread
	if l.trouble.forestalled(f, l.view.readTo) {
		l.view.forestalled = f.Refused
		return
	}
	l.trouble.failure = &f
}

// Recheck makes the lane be read again, because it was dropped or another hub changed
// it.
func (l *Lane) Recheck() { l.view.stale = true }

// Tip is the end of the lane's stream as this writer knows it.
func (l *Lane) Tip() record.Tip { return l.view.tip }

// Copying reports whether events that were admitted are being copied, or about to be.
func (l *Lane) Copying() bool { return l.copier.work != nil || l.copier.leave != nil }

// Changing reports whether a change is under way.
func (l *Lane) Changing() bool { return l.changes.change != nil || l.changes.answer != nil }

// Read reports whether the lane is read and need not be read again.
func (l *Lane) Read() bool { return l.view.known == read && l.trouble.failure == nil && !l.view.stale }

// take takes the answer to a step of type S.
func take[S Step](l *Lane) S {
	step, ok := l.asked.(S)
	if !ok {
		panic(fmt.Sprintf("lane: an answer to %T, and %T was asked for", *new(S), l.asked))
	}
	l.asked = nil
	return step
}
