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

// trouble is why the lane does not get on, and how long it waits.
type trouble struct {
	report *report

	failure *Failure // not diagnosed yet
	pause   *Wait    // after a failure
	refused refusals // appends in a row
	backoff time.Duration
	stall   episode.Episode
}

// forestalled reports whether a failure says no more than that another hub believes
// that it owns the lane, has changed its interests, or began an epoch. end is where
// the lane ended when it was read. A short random wait lets one of two writers get
// ahead.
func (t *trouble) forestalled(f Failure, end uint64) bool {
	if !f.NewEpoch && (!f.Refused || t.refused.met(end)) {
		return false
	}
	t.report.counts.Fenced++
	t.pause = &Wait{D: time.Millisecond, Jitter: 4 * time.Millisecond, Release: true}
	return true
}

// diagnose asks why a step failed.
//
// A server that could not write a message does not answer it, and refuses the later
// messages for their expected sequence, as if another writer had appended.
func (t *trouble) diagnose(end uint64) Step {
	d := Diagnose{Err: t.failure.Err, Last: end}
	if t.failure.Refused {
		d.Refused = t.refused.count
	}
	return d
}

// diagnosed notes the reason of a failure: the lane stalls, and tries again after a
// while.
func (t *trouble) diagnosed(err error, clock time.Time) {
	t.failure = nil
	t.report.counts.Retries++
	switch t.stall.FailWith(clock, err) {
	case episode.Began:
		t.report.note(Note{Kind: StallBegan, Reason: err.Error()})
	case episode.Changed:
		t.report.note(Note{Kind: StallChanged, Reason: err.Error(), Since: t.stall.Since()})
	case episode.Nothing, episode.Over:
	}
	longest := maxBackoff
	if errors.Is(err, ErrFull) {
		longest = fullBackoff // workers may make room at any time
	}
	t.backoff = min(max(2*t.backoff, minBackoff), longest)
	t.pause = &Wait{D: t.backoff, Release: true}
	t.report.dirty = true
}

func (t *trouble) nextPause() Step {
	pause := *t.pause
	t.pause = nil
	return pause
}

// gotOn notes that the lane has processed events, or has none left. A step that
// merely succeeds, such as reading the lane again, is not progress.
func (t *trouble) gotOn(clock time.Time) {
	t.backoff, t.report.dirty = 0, true
	if !t.stall.Open() {
		return
	}
	if news, lasted, failures := t.stall.Succeed(clock); news == episode.Over {
		t.report.note(Note{Kind: StallOver, Lasted: lasted, Count: failures})
	}
}

// rests ends the stall of a lane that has nothing left to copy.
func (t *trouble) rests(clock time.Time) {
	t.report.dirty = true
	if t.stall.Open() {
		t.report.note(Note{Kind: StallMoot, Lasted: clock.Sub(t.stall.Since())})
		t.stall = episode.Episode{Settle: settleStall}
	}
}

// Diagnosed answers Diagnose: the lane has stalled, and tries again after a while.
func (l *Lane) Diagnosed(err error) {
	take[Diagnose](l)
	if errors.Is(err, record.ErrNewer) {
		l.changes.refuse = err // waiting does not help
	}
	l.trouble.diagnosed(err, l.clock)
}
