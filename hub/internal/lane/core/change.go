package core

import "github.com/replhub/replhub/hub/internal/lane/record"

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

// beginChange begins the change that has waited longest, once all sent messages are
// stored.
func (l *Lane) beginChange(w World) Step {
	if l.open != nil {
		return l.settle()
	}
	l.leave, l.readIn, l.room = nil, nil, room{}
	l.change = &change{wanted: w.Change}
	return nil
}

// nextOfChange returns the next step of the change under way. A hub that does not own
// the lane has old knowledge of it, so it reads the lane first.
func (l *Lane) nextOfChange(w World) Step {
	c := l.change
	switch {
	case w.Change == WantsNothing: // its caller is gone
		l.change = nil
		return nil
	case !w.Owned && !c.fresh:
		return l.refresh()
	case c.wanted == WantsRedrive && !c.room:
		allowed, step, full := l.ensureRoom()
		switch {
		case full != nil:
			l.finishChange(full)
		case allowed > 0:
			c.room, l.room = true, room{}
		}
		return step
	case c.edited == nil:
		return Edit{Tip: l.tip}
	case c.edited.Err == nil && c.edited.Changed:
		l.toWrite(c.edited.Next, WhyChange)
		l.write.Copies = c.edited.Copies
		return nil
	case !c.fresh:
		// No append proves this answer: another hub may have changed the lane.
		return l.refresh()
	}
	l.finishChange(c.edited.Err)
	return nil
}

// refresh reads the lane for the change under way.
func (l *Lane) refresh() Step {
	l.change.fresh, l.change.known = true, l.tip.Last
	l.known = unread
	return nil
}

// Edited answers Edit.
func (l *Lane) Edited(e Edited) {
	take[Edit](l)
	l.change.edited, l.change.decided = &e, true
}

// reread requests a new decision on a change that was decided before the lane was
// read, if another writer has appended meanwhile.
func (c *change) reread(last uint64) {
	if c.decided && !c.recorded && last != c.known {
		c.edited = nil
	}
}

// finishChange reports the outcome to the change's caller.
func (l *Lane) finishChange(err error) {
	l.answer = &Answer{State: l.tip.State, Err: err, Recorded: l.change.recorded}
	l.change, l.room = nil, room{}
}
