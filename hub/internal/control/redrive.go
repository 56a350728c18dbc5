package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
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
// the letters, in the letters' order.
//
// A letter is removed after its copy is in the lane, so a crash in between leaves
// both. The lane's state record remembers such letters until they are removed, and
// they are read within the append's compare-and-set: only a hub that finds the letter
// still there and missing in the record can append.
func (v *Verbs) Redrive(ctx context.Context, service subjects.Name, req contract.Redrive) (any, error) {
	switch {
	case req.All == (len(req.Seqs) > 0):
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "seqs", "say which letters: {\"seqs\":[17,18]} or {\"all\":true}")
	case len(req.Seqs) > maxRedriveSeqs:
		return nil, contract.FieldErrorf(contract.CodeLimit, "seqs", "%d letters; at most %d at once", len(req.Seqs), maxRedriveSeqs)
	}
	l, err := v.cfg.Lanes.Existing(ctx, service)
	if err != nil {
		return nil, err
	}
	r := &redrive{cfg: &v.cfg, lane: l, service: service, all: req.All, from: req.After + 1, seqs: slices.Sorted(slices.Values(req.Seqs))}
	r.seqs = slices.DeleteFunc(slices.Compact(r.seqs), func(seq uint64) bool { return seq <= req.After })
	if err := r.settle(ctx); err != nil {
		return nil, err
	}
	answer := contract.Redriven{Service: service.String()}
	for deadline := time.Now().Add(redriveTime); ; {
		done, err := r.next(ctx)
		answer.Redriven, answer.Left = r.redriven, r.left
		switch {
		case errors.Is(err, lane.ErrFull):
			err = contract.Errorf(contract.CodeLimit, "%d letters are redriven, and then: %v", r.redriven, err)
			return nil, err
		case errors.Is(err, lane.ErrHeld):
			return nil, contract.Errorf(contract.CodeUnavailable, "%v", err)
		case err != nil:
			return nil, err
		case done:
			return answer, nil
		case time.Now().After(deadline), r.leftBytes >= r.mostLeft():
			answer.More, answer.Next = true, r.at
			return answer, nil
		}
	}
}

// redrive is one request under way.
type redrive struct {
	cfg     *VerbsConfig
	lane    *lane.Lane
	service subjects.Name

	// The letters left to do: all from a sequence on, or these, ascending.
	all  bool
	from uint64
	seqs []uint64

	redriven int
	left     []contract.RedriveLeft
	// leftBytes is the size of left in the reply, at the last letter looked at.
	leftBytes int
	at        uint64
}

// mostLeft bounds what letters that stay take of the reply: half of it, since a
// portion may end a little behind the bound.
func (r *redrive) mostLeft() int { return reply.Room(r.cfg.Conn.MaxPayload()) / 2 }

// portion is the part of a redrive that one append covers.
type portion struct {
	chosen []lane.Redriven
	// letters are those that may be removed afterwards: chosen, or found in the
	// lane already.
	letters []*deadletter.Letter
	left    []contract.RedriveLeft
	// from and used are where the next portion begins, at is the last letter looked at.
	from, at uint64
	used     int
	done     bool
	// bytes are those of the copies, leftBytes what left takes of the reply.
	bytes, leftBytes int
}

// stays notes a letter that cannot be redriven.
func (t *portion) stays(seq uint64, why string) {
	left := contract.RedriveLeft{Seq: seq, Message: reply.Cut(why, maxLeftMessage)}
	t.left = append(t.left, left)
	t.leftBytes += reply.Size(left)
}

// next redrives a portion's letters.
func (r *redrive) next(ctx context.Context) (done bool, err error) {
	var t portion
	_, err = r.lane.Redrive(ctx, func(ctx context.Context, tip lane.Tip) ([]lane.Redriven, error) {
		var err error
		t, err = r.choose(ctx, tip.State)
		return t.chosen, err
	})
	if err != nil {
		return false, err
	}
	r.cfg.Failpoint("redrive remove")
	var ids []lane.LetterID
	for _, letter := range t.letters {
		if err := r.cfg.DeadLetters.Remove(ctx, letter); err != nil {
			return false, err
		}
		ids = append(ids, idOf(letter))
	}
	r.cfg.Failpoint("redrive forget")
	if len(ids) > 0 {
		if err := r.forget(ctx, ids); err != nil {
			return false, err
		}
	}
	r.redriven += len(t.letters)
	r.left = append(r.left, t.left...)
	r.leftBytes += t.leftBytes
	r.from, r.at, r.seqs = t.from, t.at, r.seqs[t.used:]
	return t.done, nil
}

// choose reads letters until an append is full, and makes their copies.
func (r *redrive) choose(ctx context.Context, s lane.State) (portion, error) {
	if s.Detached != nil {
		return portion{}, contract.Errorf(contract.CodeDetached, "the lane is detached: %s; register interests that state a start", s.Detached.Reason)
	}
	room := lane.MostRedriven(r.cfg.Conn.MaxPayload()) - len(s.Redriven)
	if room <= 0 {
		return portion{}, contract.Errorf(contract.CodeUnavailable, "another redrive of %s is under way; send it again", r.service)
	}
	t := portion{from: r.from, at: r.at}
	// Letters that stay count as well: they cost as much to look at.
	for len(t.letters)+len(t.left) < room && t.bytes < redriveBytes && r.leftBytes+t.leftBytes < r.mostLeft() {
		letter, err := r.read(ctx, &t)
		switch {
		case err != nil:
			return portion{}, err
		case t.done:
			return t, nil
		case letter == nil:
			continue
		}
		if s.HasRedriven(idOf(letter)) {
			t.letters = append(t.letters, letter) // a crash left the letter behind
			continue
		}
		msg, why, err := r.copyOf(ctx, s, letter)
		if err != nil {
			return portion{}, err
		}
		if why == "" {
			if err := lane.Fits(msg, r.cfg.Conn.MaxPayload()); err != nil {
				why = err.Error()
			}
		}
		if why != "" {
			t.stays(letter.Seq, why)
			continue
		}
		t.letters = append(t.letters, letter)
		t.chosen = append(t.chosen, lane.Redriven{ID: idOf(letter), Copy: msg})
		t.bytes += len(msg.Data)
	}
	return t, nil
}

// read reads a portion's next letter; nil without an error when a named one is not
// there, which the answer then says.
func (r *redrive) read(ctx context.Context, t *portion) (*deadletter.Letter, error) {
	if r.all {
		letter, err := r.cfg.DeadLetters.Next(ctx, r.service, t.from)
		if errors.Is(err, deadletter.ErrNoLetter) {
			t.done = true
			return nil, nil
		}
		if err == nil {
			t.from, t.at = letter.Seq+1, letter.Seq
		}
		return letter, err
	}
	if t.used == len(r.seqs) {
		t.done = true
		return nil, nil
	}
	seq := r.seqs[t.used]
	letter, err := r.cfg.DeadLetters.Letter(ctx, r.service, seq)
	if errors.Is(err, deadletter.ErrNoLetter) {
		t.stays(seq, "no such letter of "+r.service.String())
		err = nil
	}
	t.at = seq
	t.used++
	return letter, err
}

// copyOf makes the copy that a letter's event comes back as, or says why it
// cannot come back.
func (r *redrive) copyOf(ctx context.Context, s lane.State, letter *deadletter.Letter) (msg *nats.Msg, why string, err error) {
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
		return nil, "the letter does not say which event it speaks of", nil
	}
	e, err := r.cfg.Ingest.Event(ctx, pos.Seq)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, "", err
	}
	if err != nil || e.Pos != pos {
		return nil, fmt.Sprintf("ingest no longer holds event %s, and the letter does not carry it", pos), nil
	}
	d, err := r.lane.ExpandAnew(s, e)
	if err != nil {
		return nil, "", err
	}
	switch d.Kind {
	case match.Dead:
		return nil, fmt.Sprintf("still %s: %v", d.Why, d.Err), nil
	case match.Skip:
		return nil, "not due any more: " + report.SkipReason(d, r.service, e), nil
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
