package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Edit makes a lane's next state from the end of its stream, whose state has
// the cursors of the last copy. The next state is in force only if nothing was
// appended behind that end; otherwise the edit is called again. It decides from
// its argument alone. changed false leaves the lane as it is.
type Edit func(ctx context.Context, tip Tip) (next State, changed bool, err error)

type change struct {
	ctx  context.Context //nolint:containedctx // a queued request: its caller's patience goes with it
	edit Edit
	// copies, when not nil, is what the edit wants in front of its state record.
	copies *[]*nats.Msg
	done   chan changed
}

type changed struct {
	state State
	err   error
}

// Change has Run apply an edit and returns the state that is then in force in
// the lane's stream. An error of the edit is returned as it is.
func (l *Lane) Change(ctx context.Context, edit Edit) (State, error) {
	return l.enqueue(ctx, &change{ctx: ctx, edit: edit, done: make(chan changed, 1)})
}

// enqueue hands a change to Run and waits for its outcome.
func (l *Lane) enqueue(ctx context.Context, c *change) (State, error) {
	l.mu.Lock()
	if err := l.over; err != nil {
		l.mu.Unlock()
		return State{}, err
	}
	l.changes = append(l.changes, c)
	l.mu.Unlock()
	l.nudge()
	select {
	case r := <-c.done:
		return r.state, r.err
	case <-ctx.Done():
		return State{}, fmt.Errorf("change lane %s: %w", l.service, context.Cause(ctx))
	}
}

// nextChange takes the oldest change whose caller still waits.
func (l *Lane) nextChange() *change {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.changes) > 0 {
		c := l.changes[0]
		l.changes = l.changes[1:]
		if c.ctx.Err() == nil {
			return c
		}
	}
	return nil
}

// requeue puts a change back as the next one.
func (l *Lane) requeue(c *change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append([]*change{c}, l.changes...)
}

// refuseChanges answers whoever waits with an error.
func (l *Lane) refuseChanges(why error) {
	for c := l.nextChange(); c != nil; c = l.nextChange() {
		c.done <- changed{err: why}
	}
}

// Stop ends a lane that is never run.
func (l *Lane) Stop() { l.abandonChanges(ErrStopped) }

func (l *Lane) abandonChanges(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.changes {
		c.done <- changed{err: why}
	}
	l.changes = nil
	l.over = why
}

// apply does one change. What a hub that does not own the lane knows of it is
// old, so it reads the lane first.
func (l *Lane) apply(ctx context.Context, c *change) error {
	if !l.owned.Load() {
		if err := l.sync(ctx); err != nil {
			c.done <- changed{err: err}
			return err
		}
	}
	if c.copies != nil {
		if _, err := l.room(ctx); errors.Is(err, ErrFull) {
			c.done <- changed{err: err}
			return nil
		} else if err != nil {
			c.done <- changed{err: err}
			return err
		}
	}
	next, write, err := c.edit(c.ctx, l.tip)
	if (err != nil || !write) && l.owned.Load() {
		// No append proves this answer: another hub may have changed the lane.
		known := l.tip.Last
		if err := l.sync(ctx); err != nil {
			c.done <- changed{err: err}
			return err
		}
		if l.tip.Last != known {
			next, write, err = c.edit(c.ctx, l.tip)
		}
	}
	if err != nil || !write {
		c.done <- changed{state: l.tip.State, err: err}
		return nil
	}
	l.env.Failpoint("change")
	if c.copies == nil {
		err = l.record(ctx, next)
	} else {
		err = l.recordBehind(ctx, *c.copies, next)
	}
	if errors.Is(err, ErrFenced) || hubstream.Leaderless(err) {
		l.requeue(c) // nothing was stored: decide again on what the lane then holds
		return err
	}
	if _, large := errors.AsType[*StateTooLargeError](err); large {
		c.done <- changed{state: l.tip.State, err: err}
		return nil // nothing was sent: the lane is as it was
	}
	l.env.Failpoint("changed")
	c.done <- changed{state: l.tip.State, err: err}
	return err
}

// record appends a state record and makes it the lane's state. The append
// shuts out every writer that has not seen it.
func (l *Lane) record(ctx context.Context, next State) error {
	msg, err := l.stateMessage(next)
	if err != nil {
		return err
	}
	if err := l.settle(ctx); err != nil {
		l.synced = false
		return err
	}
	l.env.Failpoint("record")
	err = l.within(context.WithoutCancel(ctx), func(ctx context.Context) error {
		_, err := l.env.Appender.Append(ctx, l.stream, l.tip.Last, []Message{msg})
		return err
	})
	if err != nil {
		l.synced = false
		return err
	}
	l.env.Failpoint("recorded")
	l.counted.records.Add(1)
	l.bytes += int64(len(msg.Data))
	seq := l.tip.Last + 1
	return l.take(ctx, Tip{State: next, StateSeq: seq, Last: seq})
}

// stateMessage makes the record of the lane's next state. It is refused with a
// *StateTooLargeError where the server would not take it.
func (l *Lane) stateMessage(next State) (Message, error) {
	msg, err := stateMessage(l.service, l.env.Hub, next)
	if err == nil {
		err = record.CheckSize(msg.Data, l.env.JS.Conn().MaxPayload())
	}
	return msg, err
}

func stateMessage(service subjects.Name, hub string, s State) (Message, error) {
	s.Hub, s.Written = hub, time.Now().UTC()
	data, err := record.Encode(s)
	if err != nil {
		return Message{}, err
	}
	return Message{
		Subject: subjects.State(service),
		Header:  event.NewHeader(map[string][]string{contract.HeaderState: {"1"}}),
		Data:    data,
	}, nil
}
