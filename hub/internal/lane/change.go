package lane

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/lane/core"
)

// Edit makes a lane's next state from the end of its stream, whose state has the
// cursors of the last copy. The next state is in force only if nothing was appended
// behind that end; otherwise the edit is called again. It must depend only on its
// argument. If changed is false, the lane stays as it is.
type Edit func(ctx context.Context, tip Tip) (next State, changed bool, err error)

type change struct {
	ctx  context.Context //nolint:containedctx // a queued request: its caller's patience goes with it
	edit Edit
	// copies, when not nil, returns the copies that go in front of the edit's state
	// record.
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

// refuseChanges answers every waiting caller with an error.
func (d *driver) refuseChanges(why error) {
	if d.current != nil {
		d.current.done <- changed{err: why}
		d.current = nil
	}
	for c := d.nextChange(); c != nil; c = d.nextChange() {
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

// wanted is the change that has waited longest among those whose callers still wait.
// The change that the core works on stays.
func (d *driver) wanted() core.Wanted {
	if !d.core.Changing() && (d.current == nil || d.current.ctx.Err() != nil) {
		d.current = d.nextChange()
	}
	switch {
	case d.current == nil:
		return core.WantsNothing
	case d.current.copies != nil:
		return core.WantsRedrive
	default:
		return core.WantsEdit
	}
}

// edit decides on the change.
func (d *driver) edit(e core.Edit) {
	next, changed, err := d.current.edit(d.current.ctx, e.Tip)
	edited := core.Edited{Next: next, Changed: changed, Err: err}
	if d.current.copies != nil {
		edited.Copies = len(*d.current.copies)
	}
	d.core.Edited(edited)
}

// answer reports the outcome to the change's caller.
func (d *driver) answer(a core.Answer) {
	if a.Recorded {
		d.env.Failpoint("changed")
	}
	d.current.done <- changed{state: a.State, err: a.Err}
	d.current = nil
}

// abandonCurrent puts the change that the core worked on back, to be answered with
// the others.
func (d *driver) abandonCurrent() {
	if d.current != nil {
		d.requeue(d.current)
		d.current = nil
	}
}

// requeue puts a change back as the next one.
func (l *Lane) requeue(c *change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append([]*change{c}, l.changes...)
}
