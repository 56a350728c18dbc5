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

const (
	// slice is the length of one turn of live copying or of a fill, and so about how
	// long a live event waits while a fill is under way.
	slice = 500 * time.Millisecond
	// settleAfter is how long an append stays open without another message. A
	// lane whose events are further apart appends them one by one.
	settleAfter = 10 * time.Millisecond
	// recordEvery is the time after which a lane that moves on without a copy records
	// its position, and recordAfter the number of events after which it does. They
	// bound what the lane scans again after a crash.
	recordEvery = 30 * time.Second
	recordAfter = 100_000
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

// known is how far the lane is read.
type known int

const (
	unread    known = iota // nothing is trusted: ReadTip
	lost                   // there is no state record: Recall
	unchecked              // the tip is known: CheckCursors
	read
)

// Lane is one writer's knowledge of its lane.
type Lane struct {
	cfg   Config
	now   time.Time // World.Now of the last Next or Follow
	clock time.Time

	asked    Step // the step that is not yet answered
	known    known
	stale    bool
	standing bool // the last step was to stand at the end of ingest

	tip        record.Tip
	live, fill *match.Table
	// readTo is the lane's last sequence when it was last read or written.
	readTo uint64
	// foreignAt is the end of the stream when foreign messages were last seen there.
	foreignAt uint64

	open     *open    // the append that is open; nil when there is none
	write    *Record  // a state record to append
	change   *change  // the change under way
	answer   *Answer  // the outcome for its caller
	refuse   error    // the error for all waiting callers
	work     *work    // what is being copied
	readIn   *readIn  // the events that ReadEvents brought
	leave    *leave   // leave to copy, if it had to be waited for
	followed work     // what Follow copies
	sending  int      // bytes of the append that is asked for
	room     room     // how room is made in a full lane
	rows     rows     // of snapshots
	finished *Note    // a fill of rows, once that is recorded
	trouble  *Failure // not diagnosed yet
	pause    *Wait    // after a failure
	refused  refusals // appends in a row
	backoff  time.Duration

	outgoing      outgoing
	letterInDoubt letterInDoubt
	forestalled   bool // another writer has appended since the lane was read
	patience      patience
	appendedAt    time.Time // when the last append was sent
	phaseBegan    time.Time
	// unrecorded counts events passed since the stream last said where the lane
	// stands, recordedAt when that was.
	unrecorded int
	recordedAt time.Time
	bytes      int64 // what the stream holds, about; 0 is unknown

	stall  episode.Episode
	counts Counts
	notes  []Note
	dirty  bool
}

// New makes a Lane without any knowledge of its stream.
func New(cfg Config) *Lane {
	if cfg.Compile == nil {
		cfg.Compile = record.Interest.CompileFor
	}
	if cfg.Expand == nil {
		cfg.Expand = (*match.Table).Expand
	}
	return &Lane{cfg: cfg, stall: episode.Episode{Settle: settleStall}}
}

// Next returns the next step. The step before must have been answered.
func (l *Lane) Next(w World) Step {
	if l.asked != nil {
		panic(fmt.Sprintf("lane: %T was not answered", l.asked))
	}
	l.now, l.clock, l.standing = w.Now, w.Clock, false
	for {
		step := l.next(w)
		switch step := step.(type) {
		case nil: // a decision was made that needs no step
			continue
		case Wait:
			l.standing = step.Stand
		case FetchRows, DropRows, Answer, RefuseChanges:
		default:
			l.asked = step
		}
		return step
	}
}

// next is one round of Next; after nil it is called again.
func (l *Lane) next(w World) Step {
	switch {
	case len(l.rows.drops) > 0:
		return l.rows.nextDrop()
	case l.answer != nil:
		answer := *l.answer
		l.answer = nil
		return answer
	case l.trouble != nil:
		return l.diagnose()
	case l.refuse != nil:
		refused := RefuseChanges{l.refuse}
		l.refuse = nil
		return refused
	case l.pause != nil:
		pause := *l.pause
		l.pause = nil
		return pause
	case l.write != nil:
		return l.nextWrite()
	case l.known != read:
		return l.nextRead()
	case l.change != nil:
		return l.nextOfChange(w)
	case l.work != nil:
		return l.nextOfWork(w)
	case l.stale:
		l.stale, l.known = false, unread
		return nil
	case w.Change != WantsNothing:
		return l.beginChange(w)
	case l.idle(w):
		return l.rest()
	}
	return l.nextOfPhase(w)
}

// idle reports whether there is nothing for this hub to copy.
func (l *Lane) idle(w World) bool {
	return !w.Owned || w.Parked ||
		l.tip.State.Detached != nil || l.tip.State.Dropped || len(l.tip.State.Interests) == 0
}

// rest waits for something to copy. Meanwhile the lane holds no shared resource,
// because other lanes wait for it.
func (l *Lane) rest() Step {
	if l.open != nil {
		return l.settle()
	}
	l.rows.dropAll()
	if len(l.rows.drops) > 0 {
		return nil
	}
	l.readIn, l.leave = nil, nil
	l.rests()
	return Wait{Release: true}
}

// nextOfPhase copies events or rows according to the phase of the state record.
func (l *Lane) nextOfPhase(w World) Step {
	if step, full := l.nextFetch(); full != nil {
		l.fail(Failure{Err: full})
		return nil
	} else if step != nil {
		return step
	}
	if l.leave == nil && l.readIn == nil && (l.unrecorded >= recordAfter || l.unrecorded > 0 && l.now.Sub(l.recordedAt) >= recordEvery) {
		return l.record(l.tip.State, WhyPosition)
	}
	switch {
	case l.tip.State.Phase != record.Filling:
		return l.nextLive()
	case l.tip.State.ActiveSnapshot() != nil:
		return l.nextRows(w)
	default:
		return l.nextFill(w)
	}
}

// Recheck makes the lane be read again, because it was dropped or another hub changed
// it.
func (l *Lane) Recheck() { l.stale = true }

// Tip is the end of the lane's stream as this writer knows it.
func (l *Lane) Tip() record.Tip { return l.tip }

// Copying reports whether events that were admitted are being copied, or about to be.
func (l *Lane) Copying() bool { return l.work != nil || l.leave != nil }

// Changing reports whether a change is under way.
func (l *Lane) Changing() bool { return l.change != nil || l.answer != nil }

// Read reports whether the lane is read and need not be read again.
func (l *Lane) Read() bool { return l.known == read && l.trouble == nil && !l.stale }

// table returns the match table of the fill under way, or of live copying.
func (l *Lane) table(fill bool) *match.Table {
	if fill {
		return l.fill
	}
	return l.live
}

// take takes the answer to a step of type S.
func take[S Step](l *Lane) S {
	step, ok := l.asked.(S)
	if !ok {
		panic(fmt.Sprintf("lane: an answer to %T, and %T was asked for", *new(S), l.asked))
	}
	l.asked = nil
	return step
}
