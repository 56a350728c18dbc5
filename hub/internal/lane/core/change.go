package core

import (
	"errors"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

// changes are the changes of the state that callers wait for.
type changes struct {
	view *view
	room *room

	change *change // the change under way
	answer *Answer // the outcome for its caller
	refuse error   // the error for all waiting callers
}

// change is the change under way.
type change struct {
	wanted Wanted
	// fresh says that the lane was read for the change, known is where the lane ended
	// before that, and decided says that the edit was made at least once.
	fresh, decided bool
	known          uint64
	// edited is the decision; nil when it is still to be requested.
	edited   *Edited
	room     bool // there is room for the copies
	recorded bool
}

// Edited is the decision about a change, made on a tip.
type Edited struct {
	Next record.State
	// Changed is false where the lane stays as it is.
	Changed bool
	// Copies is how many copies go in front of the record of a redrive.
	Copies int
	// Err is why the change is refused; the change's caller gets it.
	Err error
}

// begin begins the change that has waited longest.
func (c *changes) begin(wanted Wanted) {
	c.room.end()
	c.change = &change{wanted: wanted}
}

func (c *changes) nextAnswer() Step {
	answer := *c.answer
	c.answer = nil
	return answer
}

func (c *changes) nextRefusal() Step {
	refused := RefuseChanges{c.refuse}
	c.refuse = nil
	return refused
}

// next returns the next step of the change under way. A hub that does not own
// the lane has old knowledge of it, so it reads the lane first.
func (c *changes) next(w World) Step {
	ch := c.change
	switch {
	case w.Change == WantsNothing: // its caller is gone
		c.change = nil
		return nil
	case !w.Owned && !ch.fresh:
		return c.refresh()
	case ch.wanted == WantsRedrive && w.Held:
		c.finish(ErrHeld)
		return nil
	case ch.wanted == WantsRedrive && !ch.room:
		allowed, step, full := c.room.ensure()
		switch {
		case full != nil:
			c.finish(full)
		case allowed > 0:
			ch.room = true
			c.room.end()
		}
		return step
	case ch.edited == nil:
		return Edit{Tip: c.view.tip}
	case ch.edited.Err == nil && ch.edited.Changed:
		return draft{State: ch.edited.Next, Why: WhyChange, Copies: ch.edited.Copies}
	case !ch.fresh:
		// No append proves this answer: another hub may have changed the lane.
		return c.refresh()
	}
	c.finish(ch.edited.Err)
	return nil
}

// refresh reads the lane for the change under way.
func (c *changes) refresh() Step {
	c.change.fresh, c.change.known = true, c.view.tip.Last
	c.view.known = unread
	return nil
}

// recorded notes that the record of the change under way is stored.
func (c *changes) recorded() {
	if c.change != nil {
		c.change.recorded = true
	}
}

// reread notes that the lane was read. A change that is recorded is now in force. A
// change that was decided before is decided again if another writer has appended
// meanwhile.
func (c *changes) reread() {
	ch := c.change
	switch {
	case ch == nil:
	case ch.recorded:
		c.finish(nil)
	case ch.decided && c.view.tip.Last != ch.known:
		ch.edited = nil
	}
}

// failed gives up the change under way. After a refused append it is decided again, on
// the lane as it then is.
func (c *changes) failed(f Failure) {
	switch {
	case c.change == nil:
	case f.Refused || f.NotStored:
		c.change = nil
	default:
		c.finish(f.Err)
	}
}

// ErrHeld refuses a redrive into a lane that is held.
var ErrHeld = errors.New("the lane began with an older copy of its stream and is held until its policies are in force again; send the request again")

// errDisconnected answers a change whose record may be lost with the server.
var errDisconnected = errors.New("the connection to NATS was lost, and the change may be lost as well; send the request again")

// disconnected notes that the server may have lost the record of a change.
func (c *changes) disconnected() {
	if c.change != nil && c.change.recorded {
		c.finish(errDisconnected)
	}
	if c.answer != nil && c.answer.Recorded {
		c.answer.Err = errDisconnected
	}
}

// finish reports the outcome to the change's caller.
func (c *changes) finish(err error) {
	c.answer = &Answer{State: c.view.tip.State, Err: err, Recorded: c.change.recorded}
	c.change = nil
	c.room.end()
}

// Edited answers Edit.
func (l *Lane) Edited(e Edited) {
	take[Edit](l)
	l.changes.change.edited, l.changes.change.decided = &e, true
}
