package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/deadletter/redrive"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// redriveTime bounds the work of one request: the owner answers before the
	// hub that forwarded it gives up waiting (forwardTime).
	redriveTime = 2 * time.Second
	// redriveBytes bounds the copies of one append.
	redriveBytes = 1 << 20
	// maxLeftMessage bounds, in bytes, the text that says why a letter stays.
	maxLeftMessage = 300
	// maxRedriveSeqs bounds the letters that a request names.
	maxRedriveSeqs = 10_000
)

// Redrive puts the events of dead letters back into their lane and removes
// the letters, in the letters' order. Package redrive decides.
func (v *Verbs) Redrive(ctx context.Context, service subjects.Name, req contract.Redrive) (any, error) {
	switch {
	case req.All == (len(req.Seqs) > 0):
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "seqs", "state the sequences of the dead letters: {\"seqs\":[17,18]} or {\"all\":true}")
	case len(req.Seqs) > maxRedriveSeqs:
		return nil, contract.FieldErrorf(contract.CodeLimit, "seqs", "%d dead letters; at most %d at once", len(req.Seqs), maxRedriveSeqs)
	}
	l, err := v.cfg.Lanes.Existing(ctx, service)
	if err != nil {
		return nil, err
	}
	limits := redrive.Limits{
		Letters: lane.MostRedriven(v.cfg.Conn.MaxPayload()), Bytes: redriveBytes,
		// The letters that stay take half of the reply, since a portion may end a little
		// behind the bound.
		Left: reply.Room(v.cfg.Conn.MaxPayload()) / 2,
		Size: func(left redrive.Left) int { return reply.Size(stays(left, service)) },
	}
	r := &redriver{cfg: &v.cfg, lane: l, service: service, core: redrive.These(req.Seqs, req.After, limits)}
	if req.All {
		r.core = redrive.All(req.After, limits)
	}
	return r.run(ctx)
}

// redriver performs the steps of one request.
type redriver struct {
	cfg     *VerbsConfig
	lane    *lane.Lane
	service subjects.Name
	core    *redrive.Redrive
}

// run performs steps until the redrive is done, or its time is over.
func (r *redriver) run(ctx context.Context) (any, error) {
	deadline := time.Now().Add(redriveTime)
	more := false
	for step := r.core.Begin(); step != nil && !more; {
		switch s := step.(type) {
		case redrive.More:
			more = time.Now().After(deadline) || r.core.Crowded()
			step = s.Then()
		case redrive.Done:
			step = nil
		default:
			var err error
			if step, err = r.perform(ctx, step); err != nil {
				return nil, r.refusal(err)
			}
		}
	}
	answer := contract.Redriven{Service: r.service.String(), Redriven: r.core.Redriven, More: more}
	if more {
		answer.Next = r.core.At
	}
	for _, l := range r.core.Left {
		answer.Left = append(answer.Left, stays(l, r.service))
	}
	return answer, nil
}

// stays is a letter that stays, for the answer.
func stays(l redrive.Left, service subjects.Name) contract.RedriveLeft {
	if l.Why == redrive.NoLetter {
		l.Why += " of " + service.String()
	}
	return contract.RedriveLeft{Seq: l.Seq, Message: l.Why}
}

// refusal is the answer to a redrive that failed.
func (r *redriver) refusal(err error) error {
	switch {
	case errors.Is(err, lane.ErrFull):
		return contract.Errorf(contract.CodeLimit, "%d dead letters are redriven, and then: %v", r.core.Redriven, err)
	case errors.Is(err, lane.ErrHeld):
		return contract.Errorf(contract.CodeUnavailable, "%v", err)
	}
	return err
}

// perform performs a step, and returns the next one.
func (r *redriver) perform(ctx context.Context, step redrive.Step) (redrive.Step, error) {
	switch s := step.(type) {
	case redrive.ReadState:
		state, err := r.cfg.Lanes.State(ctx, r.service)
		if err != nil {
			return nil, err
		}
		return s.Then(state), nil
	case redrive.ReadLetter:
		return r.read(ctx, s)
	case redrive.MakeCopy:
		return r.makeCopy(ctx, s)
	case redrive.Append:
		_, err := r.lane.Redrive(ctx, func(ctx context.Context, tip lane.Tip) ([]lane.Redriven, error) { return r.choose(ctx, s, tip.State) })
		if err != nil {
			return nil, err
		}
		r.cfg.Failpoint("redrive remove")
		return s.Then(), nil
	case redrive.Remove:
		if err := r.cfg.DeadLetters.Remove(ctx, letterOf(s.Letter)); err != nil {
			return nil, err
		}
		return s.Then(), nil
	case redrive.Forget:
		r.cfg.Failpoint("redrive forget")
		if err := r.forget(ctx, s.IDs); err != nil {
			return nil, err
		}
		return s.Then(), nil
	}
	return nil, fmt.Errorf("redrive: no such step: %T", step)
}

// choose performs the steps that choose the copies of an append.
func (r *redriver) choose(ctx context.Context, a redrive.Append, s lane.State) (list []lane.Redriven, err error) {
	for step := a.Choose(s); ; {
		chosen, is := step.(redrive.Chosen)
		switch {
		case is && errors.Is(chosen.Err, redrive.ErrDetached):
			return nil, contract.Errorf(contract.CodeDetached, "the lane is detached: %s; register interests that state a start", s.Detached.Reason)
		case is && chosen.Err != nil:
			return nil, contract.Errorf(contract.CodeUnavailable, "another redrive of %s is under way; send it again", r.service)
		case is:
			for i, id := range chosen.IDs {
				list = append(list, lane.Redriven{ID: id, Copy: chosen.Copies[i].(*nats.Msg)}) //nolint:forcetypeassert // of makeCopy
			}
			return list, nil
		}
		if step, err = r.perform(ctx, step); err != nil {
			return nil, err
		}
	}
}

// read reads a letter.
func (r *redriver) read(ctx context.Context, s redrive.ReadLetter) (redrive.Step, error) {
	read := r.cfg.DeadLetters.Next
	if s.Exact {
		read = r.cfg.DeadLetters.Letter
	}
	letter, err := read(ctx, r.service, s.Seq)
	if errors.Is(err, deadletter.ErrNoLetter) {
		return s.Then(nil), nil
	}
	if err != nil {
		return nil, err
	}
	return s.Then(&redrive.Letter{LetterID: idOf(letter), Of: letter}), nil
}

// letterOf is the letter that read has read.
func letterOf(l redrive.Letter) *deadletter.Letter {
	return l.Of.(*deadletter.Letter) //nolint:forcetypeassert // of read
}

// makeCopy makes the copy of a letter's event, or says why there is none.
func (r *redriver) makeCopy(ctx context.Context, s redrive.MakeCopy) (redrive.Step, error) {
	msg, why, err := r.copyOf(ctx, s.State, letterOf(s.Letter))
	if err != nil {
		return nil, err
	}
	if why == "" {
		if err := lane.Fits(msg, r.cfg.Conn.MaxPayload()); err != nil {
			why = err.Error()
		}
	}
	if why != "" {
		return s.Then(redrive.Copy{Stays: reply.Cut(why, maxLeftMessage)}), nil
	}
	return s.Then(redrive.Copy{Of: msg, Bytes: len(msg.Data)}), nil
}

// forget takes removed letters out of the lane's state.
func (r *redriver) forget(ctx context.Context, ids []lane.LetterID) error {
	_, err := r.lane.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		next := tip.State.Forget(ids)
		return next, len(next.Redriven) < len(tip.State.Redriven), nil
	})
	return err
}

// copyOf makes the copy that a letter's event comes back as, or says why it
// cannot come back.
func (r *redriver) copyOf(ctx context.Context, s lane.State, letter *deadletter.Letter) (msg *nats.Msg, why string, err error) {
	times := letter.Redriven() + 1
	if letter.Whole() {
		d, why, err := r.allowed(ctx, s, letter)
		if err != nil || why != "" {
			return nil, why, err
		}
		header := letter.CopyHeader()
		if d.Bare {
			header = letter.BareHeader()
		}
		return lane.RedrivenCopy(s, r.service, letter.Entity, letter.Op, header, d.Data, times), "", nil
	}
	if letter.Header.Get(contract.HeaderRow) != "" {
		return nil, "it is a row of a snapshot, which ingest does not hold; have its owner publish the row, or ask for the row again with backfill", nil
	}
	pos, ok := positionOf(letter.Header)
	if !ok {
		return nil, "the dead letter does not name its event", nil
	}
	e, err := r.cfg.Ingest.Event(ctx, pos.Seq)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, "", err
	}
	if err != nil || e.Pos != pos {
		return nil, fmt.Sprintf("ingest no longer holds event %s, and the dead letter does not have it", pos), nil
	}
	d, err := r.lane.ExpandAnew(s, e)
	if err != nil {
		return nil, "", err
	}
	switch d.Kind {
	case match.Dead:
		return nil, fmt.Sprintf("still %s: %v", d.Why, d.Err), nil
	case match.Skip:
		return nil, "no longer due: " + report.SkipReason(d, r.service, e), nil
	case match.Copy:
	}
	header := e.CopyHeader()
	if d.Bare {
		header = e.BareHeader()
	}
	return lane.RedrivenCopy(s, r.service, letter.Entity, letter.Op, header.Clone(), d.Data, times), "", nil
}

func idOf(l *deadletter.Letter) lane.LetterID { return lane.LetterID{Seq: l.Seq, Time: l.Time} }

// positionOf is the position of the event in a copy's or letter's headers.
func positionOf(h nats.Header) (pos event.Position, ok bool) {
	return event.ParsePosition(h.Get(contract.HeaderPosition))
}
