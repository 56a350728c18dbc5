package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

const (
	// recordEvery is the time after which a lane that moves on without a copy records
	// its position, and recordAfter the number of events after which it does. They
	// bound what the lane scans again after a crash.
	recordEvery = 30 * time.Second
	recordAfter = 100_000
)

// journal is what the lane states in its own stream: the state record to be written,
// and how far the lane has moved since the stream last said where the lane stands.
type journal struct {
	draft *draft
	// unrecorded counts events passed since the stream last said where the lane
	// stands, at when that was.
	unrecorded int
	at         time.Time
}

// draft is a part's decision to write a state record. Next notes it, and writes the
// record once all sent messages are stored.
type draft struct {
	State record.State
	Why   Why
	// Copies is how many redriven copies go in front of the record.
	Copies int
	// note is for operators, once the record is stored: the lane may have gone on
	// since it was read.
	note *Note
}

func (draft) step() {}

// write is the step that writes the draft behind the lane's last sequence.
func (j *journal) write(last uint64, patience time.Duration) Step {
	d := j.draft
	return Record{State: d.State, Last: last, Copies: d.Copies, Why: d.Why, Patience: patience}
}

// stated notes that the stream says where the lane stands, since a time.
func (j *journal) stated(at time.Time) { j.unrecorded, j.at = 0, at }

// due reports whether the position is to be recorded.
func (j *journal) due(now time.Time) bool {
	return j.unrecorded >= recordAfter || j.unrecorded > 0 && now.Sub(j.at) >= recordEvery
}

// left is how much longer the position need not be recorded.
func (j *journal) left(now time.Time) time.Duration { return recordEvery - now.Sub(j.at) }

// Recorded answers Record: the record is the lane's state, and the appends of every
// writer that has not seen it are refused. bytes is the record's size.
func (l *Lane) Recorded(bytes int) {
	r := take[Record](l)
	l.window.patience.answered()
	l.report.counts.Records++
	if l.room.bytes += int64(bytes); r.Copies > 0 {
		l.room.bytes = 0 // measured again when it matters
	}
	seq := r.Last + uint64(r.Copies) + 1
	l.view.tip = record.Tip{State: r.State, StateSeq: seq, Last: seq, Direct: l.view.tip.Direct}
	l.view.known = unchecked
	l.view.proof.states(l.view.tip, l.askedAt)
	if r.Why == WhyChange {
		l.changes.recorded()
	}
	if n := l.journal.draft.note; n != nil {
		l.report.note(*n)
	}
	l.journal.draft = nil
}

// NotSent answers Record: the record is larger than the server accepts, and nothing
// was sent.
func (l *Lane) NotSent(err error) {
	r := take[Record](l)
	l.journal.draft = nil
	if r.Why == WhyChange && l.changes.change != nil {
		l.changes.finish(err)
		return
	}
	l.fail(Failure{Err: err})
}
