package core

import (
	"errors"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
)

// errStateGone is why a lane is cut off whose state record, and so its position, is
// lost.
var errStateGone = errors.New("the lane's state record is gone: the stream was purged by hand")

// nextRead makes the lane be read. Messages sent before are settled first.
func (l *Lane) nextRead() Step {
	switch {
	case l.open != nil:
		return l.settle()
	case l.known == unread:
		return ReadTip{}
	case l.known == lost:
		return Recall{}
	default:
		return CheckCursors{State: l.tip.State}
	}
}

// TipRead answers ReadTip.
func (l *Lane) TipRead(tip record.Tip) {
	take[ReadTip](l)
	if !l.forestalled {
		l.storedUpTo(tip.Last) // the answer was lost
	}
	l.outgoing.lost()
	l.forestalled = false
	if tip.Foreign > 0 && tip.Last != l.foreignAt {
		l.foreignAt = tip.Last // a lane that stalls reads them again and again
		l.counts.Foreign += uint64(tip.Foreign)
		l.note(Note{Kind: ForeignMessages, Count: tip.Foreign})
	}
	l.tip, l.known = tip, unchecked
}

// StateLost answers ReadTip: the stream holds messages up to last, but no state
// record. This process's knowledge is still valid if no other writer has appended
// since. Otherwise the lane's position is lost, and the lane is cut off with an
// alarm.
func (l *Lane) StateLost(last uint64) {
	take[ReadTip](l)
	mine := l.tip.StateSeq > 0 && l.tip.Last == last
	l.note(Note{Kind: StateGone, Mine: mine})
	if mine {
		l.toWrite(l.tip.State, WhyLost)
		return
	}
	l.tip = record.Tip{Last: last}
	l.known = lost
}

// Recalled answers Recall.
func (l *Lane) Recalled(s record.State) {
	take[Recall](l)
	l.tip = record.Tip{State: s, Last: l.tip.Last}
	l.detach(contract.TroubleOther, errStateGone.Error())
}

// CursorsChecked answers CheckCursors with the state whose cursors are valid in the
// present ingest.
func (l *Lane) CursorsChecked(s record.State) {
	checked := take[CheckCursors](l)
	live, fill, err := l.compile(s)
	if err != nil {
		l.fail(Failure{Err: err})
		return
	}
	if l.work != nil && !sameCursors(checked.State, s) {
		l.endWork() // its events are from an epoch that is over
	}
	l.tip.State, l.live, l.fill = s, live, fill
	l.readTo = l.tip.Last
	l.rows.keep(s)
	if l.change != nil {
		l.change.reread(l.tip.Last)
	}
	l.phaseBegan, l.recordedAt, l.unrecorded = l.now, l.now, 0
	l.known, l.dirty = read, true
	if c := l.change; c != nil && c.recorded {
		l.finishChange(nil)
	}
}

// CursorsGone answers CheckCursors: events that the lane still needed are gone from
// ingest. The lane is cut off with a state record, so that every hub and the service's
// instances see it.
func (l *Lane) CursorsGone(why string) {
	take[CheckCursors](l)
	l.detach(contract.TroubleTrimmed, why)
}

func (l *Lane) detach(cause contract.Trouble, why string) {
	l.toWrite(l.tip.State.Detach(cause, why, l.clock), WhyDetached)
}

func sameCursors(a, b record.State) bool {
	return a.Pos == b.Pos && slices.EqualFunc(a.Fills, b.Fills, func(x, y record.Fill) bool { return x.At == y.At })
}

// compile makes the match tables of a state: one of the live interests, and one of
// the interests in the first fill.
func (l *Lane) compile(s record.State) (live, fill *match.Table, err error) {
	var liveInterests, fillInterests []*match.Interest
	for _, in := range s.Interests {
		if s.Live(in.ID) {
			ready, err := l.cfg.Compile(in, nil)
			if err != nil {
				return nil, nil, err
			}
			liveInterests = append(liveInterests, ready)
		}
		if len(s.Fills) > 0 && slices.Contains(s.Fills[0].IDs, in.ID) {
			ready, err := l.cfg.Compile(in, s.Fills[0].Snapshot)
			if err != nil {
				return nil, nil, err
			}
			fillInterests = append(fillInterests, ready)
		}
	}
	partitions := record.Partitions(s.Queue)
	return l.live.Renew(l.cfg.Service, partitions, liveInterests), l.fill.Renew(l.cfg.Service, partitions, fillInterests), nil
}

// record makes a state record the next write.
func (l *Lane) record(s record.State, why Why) Step {
	l.toWrite(s, why)
	return nil
}

func (l *Lane) toWrite(s record.State, why Why) {
	l.write = &Record{State: s, Why: why}
}

// nextWrite appends the state record to be written.
func (l *Lane) nextWrite() Step {
	if l.open != nil {
		return l.settle()
	}
	l.write.Last, l.write.Patience = l.tip.Last, l.patience.time()
	return *l.write
}

// Recorded answers Record: the record is the lane's state, and the appends of every
// writer that has not seen it are refused. bytes is the record's size.
func (l *Lane) Recorded(bytes int) {
	r := take[Record](l)
	l.patience.answered()
	l.write = nil
	l.counts.Records++
	if l.bytes += int64(bytes); r.Copies > 0 {
		l.bytes = 0 // measured again when it matters
	}
	seq := r.Last + uint64(r.Copies) + 1
	l.tip = record.Tip{State: r.State, StateSeq: seq, Last: seq}
	l.known = unchecked
	if l.change != nil && r.Why == WhyChange {
		l.change.recorded = true
	}
	// Not before it is so: the lane may have gone on since it was read.
	if d := r.State.Detached; r.Why == WhyDetached && d.Cause == contract.TroubleTrimmed {
		l.note(Note{Kind: LaneDetached, Reason: d.Reason})
	}
	if r.Why == WhyFillDone && l.finished != nil {
		l.note(*l.finished)
	}
	l.finished = nil
}

// NotSent answers Record: the record is larger than the server accepts, and nothing
// was sent.
func (l *Lane) NotSent(err error) {
	r := take[Record](l)
	l.write = nil
	if r.Why == WhyChange && l.change != nil {
		l.finishChange(err)
		return
	}
	l.fail(Failure{Err: err})
}
