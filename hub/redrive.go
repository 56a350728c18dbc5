package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/event"
	"github.com/replhub/replhub/expand"
	"github.com/replhub/replhub/lane"
	"github.com/replhub/replhub/letters"
	"github.com/replhub/replhub/subjects"
	"github.com/replhub/replhub/wire"
)

const (
	// redriveTime bounds the work of one request: the owner answers before the
	// hub that forwarded it gives up waiting (forwardTime).
	redriveTime = 2 * time.Second
	// redriveBytes bounds the copies of one append.
	redriveBytes = 1 << 20
	// maxRedriveSeqs bounds the letters that a request names.
	maxRedriveSeqs = 10_000
)

// doRedrive puts the events of dead letters back into their lane and removes
// the letters, in the letters' order.
//
// A letter is removed after its copy is in the lane, so a crash in between
// leaves both. The lane's state record remembers such letters until they are
// removed, and they are read within the append's compare-and-set: whoever finds
// the letter still there and the record without it is the only one who can
// append.
func (h *Hub) doRedrive(ctx context.Context, service subjects.Name, req wire.Redrive) (any, error) {
	switch {
	case req.All == (len(req.Seqs) > 0):
		return nil, wire.FieldErrorf(wire.CodeInvalidValue, "seqs", "say which letters: {\"seqs\":[17,18]} or {\"all\":true}")
	case len(req.Seqs) > maxRedriveSeqs:
		return nil, wire.FieldErrorf(wire.CodeLimit, "seqs", "%d letters; at most %d at once", len(req.Seqs), maxRedriveSeqs)
	}
	l, err := h.knownLane(ctx, service)
	if err != nil {
		return nil, err
	}
	r := &redrive{hub: h, lane: l, service: service, all: req.All, seqs: slices.Sorted(slices.Values(req.Seqs))}
	r.seqs = slices.Compact(r.seqs)
	reply := wire.Redriven{Service: service.String()}
	for deadline := time.Now().Add(redriveTime); ; {
		done, err := r.next(ctx)
		reply.Redriven, reply.Left = r.redriven, r.left
		switch {
		case errors.Is(err, lane.ErrFull):
			err = wire.Errorf(wire.CodeLimit, "%d letters are redriven, and then: %v", r.redriven, err)
			return nil, err
		case err != nil:
			return nil, err
		case done:
			return reply, nil
		case time.Now().After(deadline):
			reply.More = true
			return reply, nil
		}
	}
}

// redrive is one request under way.
type redrive struct {
	hub     *Hub
	lane    *lane.Lane
	service subjects.Name

	// What is left to do: all letters from a sequence on, or these, ascending.
	all  bool
	from uint64
	seqs []uint64

	redriven int
	left     []wire.RedriveLeft
}

// turn is what one append of a redrive covers.
type turn struct {
	chosen []lane.Redriven
	// letters are those that may be removed afterwards: chosen, or found in the
	// lane already.
	letters []*letters.Letter
	left    []wire.RedriveLeft
	// from and used are where the next turn begins.
	from  uint64
	used  int
	done  bool
	bytes int
}

// next redrives a turn's letters.
func (r *redrive) next(ctx context.Context) (done bool, err error) {
	var t turn
	_, err = r.lane.Redrive(ctx, func(ctx context.Context, tip lane.Tip) ([]lane.Redriven, error) {
		var err error
		t, err = r.choose(ctx, tip.State)
		return t.chosen, err
	})
	if err != nil {
		return false, err
	}
	r.hub.env.Failpoint("redrive remove")
	var ids []lane.LetterID
	for _, letter := range t.letters {
		if err := r.hub.letters.Remove(ctx, letter); err != nil {
			return false, err
		}
		ids = append(ids, idOf(letter))
	}
	r.hub.env.Failpoint("redrive forget")
	if len(ids) > 0 {
		_, err = r.lane.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
			next := tip.State.Forget(ids)
			return next, len(next.Redriven) < len(tip.State.Redriven), nil
		})
		if err != nil {
			return false, err
		}
	}
	r.redriven += len(t.letters)
	r.left = append(r.left, t.left...)
	r.from, r.seqs = t.from, r.seqs[t.used:]
	return t.done, nil
}

// choose reads letters until an append is full, and makes their copies.
func (r *redrive) choose(ctx context.Context, s lane.State) (turn, error) {
	if s.Detached != nil {
		return turn{}, wire.Errorf(wire.CodeDetached, "the lane is detached: %s; register again to start anew", s.Detached.Reason)
	}
	t := turn{from: r.from}
	// Letters that stay count as well: they cost as much to look at.
	for len(t.letters)+len(t.left) < lane.MaxRedriven && t.bytes < redriveBytes {
		letter, err := r.read(ctx, &t)
		switch {
		case err != nil:
			return turn{}, err
		case t.done:
			return t, nil
		case letter == nil:
			continue
		}
		if s.HasRedriven(idOf(letter)) {
			t.letters = append(t.letters, letter) // a crash left it behind
			continue
		}
		msg, why, err := r.copyOf(ctx, s, letter)
		if err != nil {
			return turn{}, err
		}
		if why == "" {
			if err := lane.Fits(msg, r.hub.nc.MaxPayload()); err != nil {
				why = err.Error()
			}
		}
		if why != "" {
			t.left = append(t.left, wire.RedriveLeft{Seq: letter.Seq, Message: why})
			continue
		}
		t.letters = append(t.letters, letter)
		t.chosen = append(t.chosen, lane.Redriven{ID: idOf(letter), Copy: msg})
		t.bytes += len(msg.Data)
	}
	return t, nil
}

// read reads a turn's next letter; nil without an error when a named one is not
// there, which the answer then says.
func (r *redrive) read(ctx context.Context, t *turn) (*letters.Letter, error) {
	if r.all {
		letter, err := r.hub.letters.Next(ctx, r.service, t.from)
		if errors.Is(err, letters.ErrNoLetter) {
			t.done = true
			return nil, nil
		}
		if err == nil {
			t.from = letter.Seq + 1
		}
		return letter, err
	}
	if t.used == len(r.seqs) {
		t.done = true
		return nil, nil
	}
	seq := r.seqs[t.used]
	letter, err := r.hub.letters.Letter(ctx, r.service, seq)
	if errors.Is(err, letters.ErrNoLetter) {
		t.left = append(t.left, wire.RedriveLeft{Seq: seq, Message: "no such letter of " + r.service.String()})
		err = nil
	}
	t.used++
	return letter, err
}

// copyOf makes the copy that a letter's event comes back as, or says why it
// cannot come back.
func (r *redrive) copyOf(ctx context.Context, s lane.State, letter *letters.Letter) (msg *nats.Msg, why string, err error) {
	times := letter.Redriven() + 1
	if letter.Whole() {
		return lane.RedrivenCopy(s, r.service, letter.Entity, letter.Op, letter.CopyHeader(), letter.Data, times), "", nil
	}
	if letter.Header.Get(wire.HeaderChunk) != "" {
		return nil, "it is a row of a snapshot, which ingest does not hold; have its owner publish the row, or unregister and register with the start \"snapshot\" again", nil
	}
	pos, ok := positionOf(letter.Header)
	if !ok {
		return nil, "the letter does not say which event it speaks of", nil
	}
	e, err := r.hub.ingest.Event(ctx, pos.Seq)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, "", err
	}
	if err != nil || e.Pos != pos {
		return nil, fmt.Sprintf("ingest no longer holds event %s, and the letter does not carry it", pos), nil
	}
	d, err := lane.ExpandAnew(s, r.service, e)
	if err != nil {
		return nil, "", err
	}
	switch d.Kind {
	case expand.Dead:
		return nil, fmt.Sprintf("still %s: %v", d.Why, d.Err), nil
	case expand.Skip:
		return nil, "not due any more: " + skipReason(d, r.service, e), nil
	case expand.Copy:
	}
	return lane.RedrivenCopy(s, r.service, letter.Entity, letter.Op, e.CopyHeader().Clone(), d.Data, times), "", nil
}

func idOf(l *letters.Letter) lane.LetterID { return lane.LetterID{Seq: l.Seq, Time: l.Time} }

// positionOf is the event that a copy's or letter's headers speak of.
func positionOf(h nats.Header) (pos event.Position, ok bool) {
	epoch, err := strconv.ParseUint(h.Get(wire.HeaderEpoch), 10, 64)
	if err != nil {
		return event.Position{}, false
	}
	seq, err := strconv.ParseUint(h.Get(wire.HeaderSeq), 10, 64)
	return event.Position{Epoch: epoch, Seq: seq}, err == nil
}
