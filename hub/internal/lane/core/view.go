package core

import (
	"errors"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// errStateGone is why a lane is cut off whose state record, and so its position, is
// lost.
var errStateGone = errors.New("the lane's state record is gone: the stream was purged by hand")

// known is how far the lane is read.
type known int

const (
	unread    known = iota // nothing is trusted: ReadTip
	lost                   // there is no state record: Recall
	unchecked              // the tip is known: CheckCursors
	read
)

// view is what a writer has read of its lane: the tip, and the match tables of its
// state record.
type view struct {
	service  subjects.Name
	interest func(record.Interest, *record.Snapshot) (*match.Interest, error)

	known known
	// stale says that the lane is to be read again when no work is under way.
	stale bool
	tip   record.Tip
	// proof is the end of the stream by the leader's last answer.
	proof proof
	// live matches the live interests, fill those of the first fill.
	live, fill *match.Table
	// readTo is the lane's last sequence when it was last read or written.
	readTo uint64
	// foreignAt is the end of the stream when foreign messages were last seen there.
	foreignAt uint64
	// forestalled says that another writer has appended since the lane was read.
	forestalled bool
}

// next reads the lane.
func (v *view) next() Step {
	switch v.known {
	case unread:
		v.stale = false
		return ReadTip{}
	case lost:
		return Recall{}
	default:
		return CheckCursors{State: v.tip.State}
	}
}

// reread makes the lane be read again, now.
func (v *view) reread() { v.known = unread }

// idle reports whether the state leaves nothing to copy.
func (v *view) idle() bool {
	s := &v.tip.State
	return s.Detached != nil || s.Dropped || len(s.Interests) == 0
}

// table returns the match table of the fill under way, or of live copying.
func (v *view) table(fill bool) *match.Table {
	if fill {
		return v.fill
	}
	return v.live
}

// foreign returns how many foreign messages of a tip are news: a lane that stalls
// reads the same messages again and again.
func (v *view) foreign(tip record.Tip) int {
	if tip.Foreign == 0 || tip.Last == v.foreignAt {
		return 0
	}
	v.foreignAt = tip.Last
	return tip.Foreign
}

// check begins to work by a state whose cursors are valid.
func (v *view) check(s record.State) error {
	live, fill, err := v.compile(s)
	if err != nil {
		return err
	}
	v.tip.State, v.live, v.fill = s, live, fill
	v.readTo, v.known = v.tip.Last, read
	return nil
}

// compile makes the match tables of a state: one of the live interests, and one of
// the interests in the first fill.
func (v *view) compile(s record.State) (live, fill *match.Table, err error) {
	var liveInterests, fillInterests []*match.Interest
	for _, in := range s.Interests {
		if s.Live(in.ID) {
			ready, err := v.interest(in, nil)
			if err != nil {
				return nil, nil, err
			}
			liveInterests = append(liveInterests, ready)
		}
		if len(s.Fills) > 0 && slices.Contains(s.Fills[0].IDs, in.ID) {
			ready, err := v.interest(in, s.Fills[0].Snapshot)
			if err != nil {
				return nil, nil, err
			}
			fillInterests = append(fillInterests, ready)
		}
	}
	partitions := record.Partitions(s.Queue)
	return v.live.Renew(v.service, partitions, liveInterests), v.fill.Renew(v.service, partitions, fillInterests), nil
}

// TipRead answers ReadTip.
func (l *Lane) TipRead(tip record.Tip) {
	take[ReadTip](l)
	l.tipRead(tip)
}

// tipRead begins to work by a tip that was read.
func (l *Lane) tipRead(tip record.Tip) {
	if !l.view.forestalled {
		l.window.storedUpTo(tip.Last) // the answer was lost
	}
	l.window.outgoing.lost()
	l.view.forestalled = false
	if n := l.view.foreign(tip); n > 0 {
		l.report.counts.Foreign += uint64(n)
		l.report.note(Note{Kind: ForeignMessages, Count: n})
	}
	if known := l.view.proof.stored; tip.Last < known {
		l.report.note(Note{Kind: LaneWentBack, Count: int(known - tip.Last)})
	}
	l.view.tip, l.view.known = tip, unchecked
	l.view.proof.states(tip, l.askedAt)
}

// StateLost answers ReadTip or ConfirmTip: the stream holds messages up to last, but no state
// record. This process's knowledge is still valid if no other writer has appended
// since. Otherwise the lane's position is lost, and the lane is cut off with an
// alarm.
func (l *Lane) StateLost(last uint64) {
	if _, confirms := l.asked.(ConfirmTip); confirms {
		l.lossConfirmed(last)
		return
	}
	take[ReadTip](l)
	l.view.proof.states(record.Tip{Last: last}, l.askedAt)
	mine := l.view.tip.StateSeq > 0 && l.view.tip.Last == last
	l.report.note(Note{Kind: StateGone, Mine: mine})
	if mine {
		l.journal.draft = &draft{State: l.view.tip.State, Why: WhyLost}
		return
	}
	l.view.tip = record.Tip{Last: last}
	l.view.known = lost
}

// Recalled answers Recall.
func (l *Lane) Recalled(s record.State) {
	take[Recall](l)
	l.view.tip = record.Tip{State: s, Last: l.view.tip.Last}
	l.detach(contract.TroubleOther, errStateGone.Error())
}

// CursorsChecked answers CheckCursors with the state whose cursors are valid in the
// present ingest.
func (l *Lane) CursorsChecked(s record.State) {
	checked := take[CheckCursors](l)
	if err := l.view.check(s); err != nil {
		l.fail(Failure{Err: err})
		return
	}
	if l.copier.work != nil && !sameCursors(checked.State, s) {
		l.copier.end() // its events are from an epoch that is over
	}
	l.rows.keep(s)
	l.journal.stated(l.now)
	l.phases.began = l.now
	l.report.dirty = true
	l.changes.reread()
}

// EventsErased says, before CursorsChecked, that events of ingest were erased: events and
// rows in hand may be of them, and are read again.
func (l *Lane) EventsErased() {
	l.copier.abandon()
	l.rows.dropAll()
}

// CursorsGone answers CheckCursors: events that the lane still needed are gone from
// ingest. The lane is cut off with a state record, so that every hub and the service's
// instances see it.
func (l *Lane) CursorsGone(why string) {
	take[CheckCursors](l)
	l.detach(contract.TroubleTrimmed, why)
}

func (l *Lane) detach(cause contract.Trouble, why string) {
	d := draft{State: l.view.tip.State.Detach(cause, why, l.clock), Why: WhyDetached}
	if cause == contract.TroubleTrimmed {
		d.note = &Note{Kind: LaneDetached, Reason: d.State.Detached.Reason}
	}
	l.journal.draft = &d
}

func sameCursors(a, b record.State) bool {
	return a.Pos == b.Pos && slices.EqualFunc(a.Fills, b.Fills, func(x, y record.Fill) bool { return x.At == y.At })
}
