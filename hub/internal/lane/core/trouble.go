package core

import (
	"errors"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

const (
	// Delays after an append that did not succeed.
	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
	// fullBackoff is the longest delay of a full lane.
	fullBackoff = time.Second
	// settleStall is how long a lane must make progress before a stall is over. It is
	// longer than a full lane waits between two attempts (fullBackoff), because each
	// attempt may copy a little.
	settleStall = 2 * time.Second
	// maxRefusals is how often in a row an append may be refused for its expected
	// sequence while the stream does not move. If another writer were the cause, the
	// stream would move.
	maxRefusals = 3
)

// Failure is why a step did not succeed.
type Failure struct {
	Err error
	// Refused says that the stream's last sequence was not the one that the append
	// stated, so another writer has appended. A prefix of an open append may be
	// stored.
	Refused bool
	// NotStored says that certainly nothing was stored, though the append was not
	// refused.
	NotStored bool
	// Late says that the server's answer did not come within the step's patience.
	Late bool
	// NewEpoch says that ingest began a new epoch, so the lane's cursors must be
	// checked again.
	NewEpoch bool
}

// refusals counts the appends in a row that were refused at one end of the stream.
type refusals struct {
	at    uint64
	count int
}

// met notes a refusal of an append behind a last sequence, and reports whether there
// were too many refusals for another writer to be the reason.
func (r *refusals) met(last uint64) bool {
	if r.at != last {
		*r = refusals{at: last}
	}
	r.count++
	return r.count > maxRefusals
}

// Failed answers a step that did not succeed.
func (l *Lane) Failed(f Failure) {
	if l.asked == nil {
		panic("lane: a failure of no step")
	}
	switch l.asked.(type) {
	case Append, Settle, Record:
		if f.Late {
			l.patience.missed()
		}
	}
	l.asked = nil
	l.fail(f)
}

// fail gives up the work under way. After a failure the knowledge in memory is not
// trusted: the lane is read again.
func (l *Lane) fail(f Failure) {
	l.endWork()
	l.rows.dropAll()
	l.known, l.open, l.write, l.finished = unread, nil, nil, nil
	l.readIn, l.leave, l.room = nil, nil, room{}
	if l.change != nil {
		if f.Refused || f.NotStored {
			l.change = nil // the change is decided again on the lane as it then is
		} else {
			l.finishChange(f.Err)
		}
	}
	if f.NewEpoch || f.Refused && !l.refused.met(l.readTo) {
		// Another hub believes that it owns the lane, or has changed its
		// interests. A short random wait lets one of two writers get ahead.
		l.forestalled = f.Refused
		l.counts.Fenced++
		l.pause = &Wait{D: time.Millisecond, Jitter: 4 * time.Millisecond, Release: true}
		return
	}
	l.trouble = &f
}

// diagnose asks why a step failed.
//
// A server that could not write a message does not answer it, and refuses the later
// messages for their expected sequence, as if another writer had appended.
func (l *Lane) diagnose() Step {
	d := Diagnose{Err: l.trouble.Err, Last: l.readTo}
	if l.trouble.Refused {
		d.Refused = l.refused.count
	}
	return d
}

// Diagnosed answers Diagnose: the lane has stalled, and tries again after a while.
func (l *Lane) Diagnosed(err error) {
	take[Diagnose](l)
	l.trouble = nil
	if errors.Is(err, record.ErrNewer) {
		l.refuse = err // waiting does not help
	}
	l.counts.Retries++
	switch l.stall.FailWith(l.clock, err) {
	case episode.Began:
		l.note(Note{Kind: StallBegan, Reason: err.Error()})
	case episode.Changed:
		l.note(Note{Kind: StallChanged, Reason: err.Error(), Since: l.stall.Since()})
	case episode.Nothing, episode.Over:
	}
	longest := maxBackoff
	if errors.Is(err, ErrFull) {
		longest = fullBackoff // workers may make room at any time
	}
	l.backoff = min(max(2*l.backoff, minBackoff), longest)
	l.pause = &Wait{D: l.backoff, Release: true}
	l.dirty = true
}

// gotOn notes that the lane has processed events, or has none left. A step that
// merely succeeds, such as reading the lane again, is not progress.
func (l *Lane) gotOn() {
	l.backoff, l.dirty = 0, true
	if !l.stall.Open() {
		return
	}
	if news, lasted, failures := l.stall.Succeed(l.clock); news == episode.Over {
		l.note(Note{Kind: StallOver, Lasted: lasted, Count: failures})
	}
}

// rests ends the stall of a lane that has nothing left to copy.
func (l *Lane) rests() {
	l.dirty = true
	if l.stall.Open() {
		l.note(Note{Kind: StallMoot, Lasted: l.clock.Sub(l.stall.Since())})
		l.stall = episode.Episode{Settle: settleStall}
	}
}
