package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/subjects"
)

// Redriven is one event that is put back into a lane.
type Redriven struct {
	ID LetterID
	// Copy is the message to append; RedrivenCopy makes one.
	Copy *nats.Msg
}

// ErrTooMany refuses a redrive of more than MaxRedriven copies.
var ErrTooMany = fmt.Errorf("more than %d dead letters at once", MaxRedriven)

// Select chooses the events to put back, given the end of the lane's stream. Like an
// Edit it is called again when another writer was faster. Each call must look each
// letter up again, since that writer may have redriven it, and must leave out the
// letters that the state names.
type Select func(ctx context.Context, tip Tip) ([]Redriven, error)

// Redrive makes Run append copies of redriven events, and returns the state that is
// then in force. The copies and a state record behind them are one atomic batch: both
// are in the stream or neither is. The record names their letters, so that no crash
// before the letters are removed puts an event in twice, and it says where the lane
// stands, which these copies do not move. Call Change with State.Forget once the
// letters are gone.
func (l *Lane) Redrive(ctx context.Context, choose Select) (State, error) {
	var copies []*nats.Msg
	edit := func(ctx context.Context, tip Tip) (State, bool, error) {
		chosen, err := choose(ctx, tip)
		if err != nil || len(chosen) == 0 {
			return State{}, false, err
		}
		if len(chosen) > MaxRedriven {
			return State{}, false, ErrTooMany
		}
		next := tip.State.Clone()
		copies = copies[:0]
		for _, r := range chosen {
			copies = append(copies, r.Copy)
			next.Redriven = append(next.Redriven, r.ID)
		}
		return next, true, nil
	}
	return l.enqueue(ctx, &change{ctx: ctx, edit: edit, copies: &copies, done: make(chan changed, 1)})
}

// appendWhole appends all messages or none, whatever the appender's kind: a
// fast-ingest batch may store a prefix.
func (a *Appender) appendWhole(ctx context.Context, stream string, last uint64, msgs []*nats.Msg) error {
	return a.atomic(ctx, stream, last, msgs)
}

// RedrivenCopy makes the copy of an event that comes back for the times-th
// time, in the form of the lane's present queue. header and data are those of
// the copy that failed; header is kept and changed.
func RedrivenCopy(s State, service, entity subjects.Name, op subjects.Op, header nats.Header, data []byte, times int) *nats.Msg {
	return &nats.Msg{Subject: s.RedrivenCopy(service, entity, op, header, times), Header: header, Data: data}
}

// errNoRoom means that an event does not fit the server's limits as a copy.
var errNoRoom = errors.New("as a copy it exceeds the server's max_payload or its 64 KiB for headers")

// Fits reports whether a copy fits the server's limits.
func Fits(m *nats.Msg, maxPayload int64) error {
	if (Message{Header: event.NewHeader(m.Header), Data: m.Data}).TooLarge(int(maxPayload)) {
		return errNoRoom
	}
	return nil
}
