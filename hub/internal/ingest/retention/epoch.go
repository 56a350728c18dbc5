package retention

import (
	"fmt"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// Found is the result of Identify.
type Found struct {
	Bounds Bounds
	Ledger Ledger
	// Lost says that there was no ledger, although ingest holds or held events.
	Lost bool
}

// Identify brings the ledger up to the present stream: a stream of another creation
// time begins an epoch, and so does one that ends in front of the floor, because it has
// lost its tail. atLeast is an epoch seen in a lane; the current epoch must
// not be below it, even if the ledger was lost.
func Identify(atLeast uint64, then func(Found) Step) Step {
	return Look{func(b Bounds, _ time.Time) Step { return identify(b, atLeast, then) }}
}

func identify(b Bounds, atLeast uint64, then func(Found) Step) Step {
	lost, behind := false, false
	return updateOnce(func(l *Ledger, now time.Time) (bool, error) {
		if lost = len(l.Epochs) == 0 && b.Last > 0; len(l.Epochs) == 0 {
			l.Epochs = []Range{{Epoch: max(atLeast, 1), First: 1, Created: b.Created}}
			l.Floor = b.First
			if lost {
				l.Lost = uint64(now.UnixNano())
				l.Replaced = l.Lost
			}
			return true, nil
		}
		cur := l.Current()
		behind = cur.Created.Equal(b.Created) && cur.Epoch >= atLeast && l.behind(b)
		next := Range{Epoch: max(cur.Epoch, atLeast) + 1, First: 1, Created: b.Created}
		switch {
		case behind:
			next.First = b.Last + 1
		case cur.Created.Equal(b.Created) && cur.Epoch >= atLeast:
			return false, nil
		}
		l.begin(next)
		return true, nil
	}, func(write Step) Step {
		// Write only if the stream is still the same after the ledger was read: the
		// ledger may already be about a later stream than b. An empty stream that has
		// its first events now needs another look too: whether the ledger was lost
		// depends on it. And so does a stream that has grown up to the floor.
		return Look{func(now Bounds, _ time.Time) Step {
			if !now.Created.Equal(b.Created) || b.Last == 0 && now.Last > 0 || behind && now.Last != b.Last {
				return identify(now, atLeast, then)
			}
			return write
		}}
	}, func(l Ledger) Step {
		if !l.Current().Created.Equal(b.Created) {
			return Done{errCreatedAgain}
		}
		return l.fill(b, func(b Bounds) Step { return then(Found{b, l, lost}) })
	})
}

// behind reports whether the stream ends in front of the floor. No trim moves the floor
// beyond the last event, so the stream has lost its tail.
func (l *Ledger) behind(b Bounds) bool { return b.Last+1 < l.Floor }

// End finds ingest's last event. known is the ledger last read; if it is about
// another stream, or the stream has lost its tail, it is brought up to date.
func End(known Ledger, then func(Bounds, Ledger) Step) Step {
	return Look{func(b Bounds, _ time.Time) Step {
		if known.Current().Created.Equal(b.Created) && !known.behind(b) {
			return known.fill(b, func(b Bounds) Step { return then(b, known) })
		}
		return Identify(0, func(f Found) Step { return then(f.Bounds, f.Ledger) })
	}}
}

// Resume checks a mark that was recorded earlier against the present stream, and
// finds the mark from which to continue. The two marks differ when ingest was created
// again or rolled back (its tail was lost and the sequences are used again): reading
// then continues at the first event stored after the mark's time, in a new epoch.
// ErrTrimmed means that events after the mark are gone.
func Resume(m Mark, then func(Mark) Step) Step {
	return Identify(m.Epoch, func(f Found) Step { return resume{f.Bounds, m, then}.in(f.Ledger) })
}

// ResumeAll is Resume for several marks that are compared with each other, such as a lane's
// position and its fills. An epoch that begins between two of the marks gives the earlier
// one a position that cannot be compared with the later one's, so all marks are checked
// again until none moves to another epoch.
func ResumeAll(marks []Mark, then func([]Mark) Step) Step {
	return resumeFrom(0, marks, slices.Clone(marks), then)
}

// resumeFrom resumes the marks from the i-th on; resumed has the results.
func resumeFrom(i int, marks, resumed []Mark, then func([]Mark) Step) Step {
	if i < len(marks) {
		return Resume(marks[i], func(m Mark) Step {
			resumed[i] = m
			return resumeFrom(i+1, marks, resumed, then)
		})
	}
	for k := range marks {
		if resumed[k].Epoch != marks[k].Epoch {
			return ResumeAll(resumed, then)
		}
	}
	return then(resumed)
}

// resume is one Resume. bounds is what the stream held when Resume began.
type resume struct {
	bounds Bounds
	mark   Mark
	then   func(Mark) Step
}

// in decides by the ledger whether the mark's epoch is over.
func (r resume) in(l Ledger) Step {
	if next, over := l.after(r.mark.Epoch); over {
		return r.behind(l, next)
	}
	switch {
	case r.mark.Seq > r.bounds.Last:
		return r.rolledBack()
	case r.mark.Seq+1 < r.bounds.First:
		return r.trimmed()
	case r.mark.Seq+1 == r.bounds.First || r.mark.Time.IsZero():
		return r.then(r.mark)
	}
	return timeAt(r.mark.Seq, r.proven)
}

// proven continues at the mark if its event still has the mark's time.
func (r resume) proven(at time.Time, found bool) Step {
	switch {
	case !found:
		return r.bounds.still(func(is bool, now Bounds) Step {
			if !is || now.First > r.mark.Seq {
				return Resume(r.mark, r.then) // a rollback or a trim between the questions
			}
			return Done{fmt.Errorf("%w: the event at %s was deleted", ErrTrimmed, r.mark.Position)}
		})
	case !at.Equal(r.mark.Time):
		return r.rolledBack()
	}
	return r.then(r.mark)
}

func (r resume) trimmed() Step {
	return r.still(func() Step {
		return Done{fmt.Errorf("%w: position %s, first held %d", ErrTrimmed, r.mark.Position, r.bounds.First)}
	})
}

// behind continues from a mark whose epoch is over; next is the epoch after it.
func (r resume) behind(l Ledger, next Range) Step {
	switch {
	case !next.Created.Equal(l.Current().Created) || r.mark.Seq+1 >= l.brokenAt(r.mark.Epoch):
		return r.from(l)
	case r.mark.Seq > r.bounds.Last:
		return r.rolledBack()
	case r.mark.Seq+1 < r.bounds.First:
		return r.trimmed()
	case r.mark.Seq+1 == r.bounds.First || r.mark.Time.IsZero():
		return r.then(r.mark)
	}
	// The mark is before the break, in the part that survived, unless a rollback that no hub
	// has noticed went further back.
	return timeAt(r.mark.Seq, r.proven)
}

// from continues at the first event stored after the mark's time, because earlier events
// were already processed. If the mark has no time, it continues at the break. Processed
// events may lie after the break: a reader may have read on before the break was noticed,
// and so have taken events of the new epoch under the number of the old epoch. Epochs of
// streams that are gone are skipped, because only the present stream can be read.
func (r resume) from(l Ledger) Step {
	begin := l.brokenAt(r.mark.Epoch)
	if r.mark.Time.IsZero() {
		if !l.knows(r.mark.Epoch) && r.mark.Seq+1 >= r.bounds.First && r.mark.Seq <= r.bounds.Last {
			// The ledger was lost: only the sequence of the place is known.
			return r.then(Mark{Position: event.Position{Epoch: l.EpochOf(r.mark.Seq + 1), Seq: r.mark.Seq}})
		}
		return r.beforeFirst(l, begin, begin)
	}
	return r.bounds.SeqAt(r.mark.Time.Add(time.Nanosecond), func(seq uint64) Step {
		if seq < begin {
			// Ingest was rolled back again, further than the break: what is stored from
			// here on is newer than the mark, and must not have positions of its epoch.
			return r.beginAt(seq)
		}
		return r.beforeFirst(l, begin, seq)
	})
}

// beforeFirst continues in front of the first event that the mark's reader needs.
// begin is where the epoch begins: events from there on may be trimmed.
func (r resume) beforeFirst(l Ledger, begin, seq uint64) Step {
	if seq > r.bounds.Last+1 {
		// Ingest was rolled back again, to before the present epoch began.
		r.mark = Mark{Position: event.Position{Epoch: l.Current().Epoch, Seq: seq - 1}}
		return r.beginAt(r.bounds.Last + 1)
	}
	// The mark's sequence has no meaning in another stream.
	other := r.mark.Time.Before(l.Current().Created)
	if begin < r.bounds.First && seq <= r.bounds.First && (other || r.mark.Seq+1 < r.bounds.First) {
		return r.still(func() Step {
			return Done{fmt.Errorf("%w: epoch %d begins at %d, first held %d", ErrTrimmed, l.EpochOf(begin), begin, r.bounds.First)}
		})
	}
	return l.MarkBefore(seq, func(m Mark) Step {
		m.Epoch = l.EpochOf(seq)
		return r.still(func() Step { return r.then(m) })
	})
}

// rolledBack begins the epoch after a lost tail: at the first event stored after
// the mark's time.
func (r resume) rolledBack() Step {
	if r.mark.Time.IsZero() {
		return r.beginAt(r.bounds.Last + 1)
	}
	return r.bounds.SeqAt(r.mark.Time.Add(time.Nanosecond), r.beginAt)
}

// beginAt begins an epoch at a sequence, if no epoch after the mark's begins there yet.
func (r resume) beginAt(first uint64) Step {
	return updateOnce(func(l *Ledger, _ time.Time) (bool, error) {
		if l.EpochOf(first) > r.mark.Epoch {
			return false, nil // another lane or hub has begun the epoch first
		}
		l.begin(Range{Epoch: max(l.Current().Epoch, r.mark.Epoch) + 1, First: first, Created: r.bounds.Created})
		return true, nil
	}, func(write Step) Step {
		return r.bounds.still(func(is bool, now Bounds) Step {
			// An epoch that begins at an event which a trim has removed meanwhile would cut off
			// the lanes that never needed this event.
			if !is || first < now.First {
				return Resume(r.mark, r.then)
			}
			return write
		})
	}, func(l Ledger) Step {
		if r.mark.Time.IsZero() {
			return r.from(l)
		}
		return r.beforeFirst(l, l.brokenAt(r.mark.Epoch), first)
	})
}

// still continues if ingest is still the stream that r.bounds describes. If ingest was
// created again or rolled back meanwhile, the mark is checked once more.
func (r resume) still(next func() Step) Step {
	return r.bounds.still(func(is bool, _ Bounds) Step {
		if !is {
			return Resume(r.mark, r.then)
		}
		return next()
	})
}

// unchanged is an update that does not change the ledger.
func unchanged(*Ledger, time.Time) (bool, error) { return false, nil }
