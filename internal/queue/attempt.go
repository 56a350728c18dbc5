package queue

import "time"

// Meaning is what a handler's error says of its event.
type Meaning uint8

// Meanings.
const (
	Failure     Meaning = iota // the event may be at fault
	Unavailable                // something that the handler needs is unavailable
	Conflict                   // another transaction was in the way
	Invalid                    // every further attempt would fail too
	Waits                      // another row must be inserted, changed or deleted first
	Parked                     // the handler gave the event up
)

// Answer is a handler's answer for an event that it did not handle.
type Answer struct {
	Means Meaning
	// Err is the error. The error of an outage is reported.
	Err error
	// Unique says that the event Waits because another row has its unique value.
	Unique bool
	// RetryAfter is the time before the next attempt, where the handler gave one.
	RetryAfter *time.Duration
}

// Verdict says what happens to a job after an attempt.
type Verdict struct {
	Kind     VerdictKind
	Evidence Evidence
	After    time.Duration // until the next attempt
	Err      error         // the handler's error, for an outage
	// WaitsLong says that the event has waited for another row for some time. The
	// driver logs that once.
	WaitsLong bool
}

// VerdictKind is the kind of a verdict.
type VerdictKind uint8

// Kinds of verdicts.
const (
	Finished  VerdictKind = iota // settled with the server
	Retry                        // another attempt after a while
	Abandoned                    // cut short: the server delivers the event again
	Stalled                      // another attempt when the outage is over
	Untried                      // no attempt was made; the job is put back
	Bury                         // its dead letter must be stored first; see Buried
)

// Evidence is what an attempt says about the resources that handlers need, such as a
// database.
type Evidence uint8

// Evidence.
const (
	NoEvidence Evidence = iota // no handler was called, or it was cut short
	IsThere                    // the resources are available
	WasHandled                 // the resources are available, and the event was handled
)

const (
	// maxConflicts is the number of conflicts in a row after which an event is at
	// fault. With the default back-off this takes about three quarters of an hour.
	maxConflicts = 100
	// quietWaits is the number of tries after which a waiting event is logged.
	quietWaits = 10
	// letterRetry is the pause before another attempt to store a dead letter. Meanwhile
	// the row waits.
	letterRetry = time.Second
)

// attempts decides what happens to an event after an attempt.
type attempts struct {
	env    *env
	proofs *proofs
	spills *spills
}

func (t *attempts) judge(j *Job, a Answer) Verdict {
	if j.doubted {
		return Verdict{Kind: Abandoned} // the job may not be ours any more, so a dead letter may not be due
	}
	if a.Means == Unavailable && !t.proofs.against(j) {
		return Verdict{Kind: Stalled, Err: a.Err}
	}
	if a.Means != Conflict {
		j.conflicts = 0
	} else if j.conflicts++; j.conflicts <= maxConflicts {
		return Verdict{Kind: Retry, Evidence: IsThere, After: t.env.cfg.Backoff(j.conflicts)}
	}
	wait := waitNot
	j.waitsFor = waitsForNone
	if a.Means == Waits && !j.dead {
		wait = t.mayWait(j, a)
	}
	if wait == waitOn {
		j.waits++
		j.waitsFor = waitsForRow
		if a.Unique {
			j.waitsFor = waitsForUnique
		}
		return Verdict{Kind: Retry, Evidence: IsThere, After: t.env.cfg.ProbePause(j.waits), WaitsLong: j.waits == quietWaits}
	}
	j.attempts++
	v := Verdict{Kind: Retry, After: t.env.cfg.Backoff(j.attempts)}
	switch {
	case j.dead:
		v.After = t.env.cfg.MaxBackoff // held
	case wait == waitOver, a.Means == Parked, a.Means == Invalid, j.attempts >= t.env.cfg.MaxAttempts:
		j.burying = true
		v = Verdict{Kind: Bury}
	case a.RetryAfter != nil:
		v.After = max(*a.RetryAfter, 0)
	}
	if a.Means != Unavailable {
		v.Evidence = IsThere
	}
	return v
}

// Letter is the outcome of storing a dead letter.
type Letter struct {
	// Stored says that the letter is stored, under Seq in the stream of dead letters.
	// Otherwise storing is tried again, unless the letter is Needless because the
	// service was dropped.
	Stored, Needless bool
	Seq              uint64
	// Redriven is how often the event was redriven after it had made room.
	Redriven int
}

func (t *attempts) buried(j *Job, l Letter) Verdict {
	switch {
	case l.Needless:
		j.burying = false
		return Verdict{Kind: Finished}
	case !l.Stored:
		return Verdict{Kind: Retry, After: letterRetry}
	}
	if j.gaveUp {
		t.spills.add(l)
	}
	j.burying, j.dead = false, true
	if t.env.cfg.HoldKey {
		return Verdict{Kind: Retry, After: t.env.cfg.MaxBackoff}
	}
	return Verdict{Kind: Finished}
}
