package retention

import "github.com/replhub/replhub/subjects"

// Need is what the lanes still need of ingest.
type Need struct {
	// Seq is the sequence at which the lane furthest behind stands: events below it
	// may be purged. It is the end of ingest where no lane needs an event.
	Seq uint64
	// Pinner is that lane, when Pinned is set.
	Pinner subjects.Name
	Pinned bool
	// Unknown are the lanes whose position cannot be read, with the reason.
	Unknown map[subjects.Name]error
	// Lowest is the lowest mark with a time among the lanes that stand in the present
	// epoch, even if it is at the end of ingest or beyond; zero if there is none. A mark
	// without a time proves nothing. A mark further ahead proves as much in its place.
	Lowest Mark
	stands bool
}

// NewNeed is the need without any lane, in an ingest whose last event is last.
func NewNeed(last uint64) Need {
	return Need{Seq: last, Unknown: make(map[subjects.Name]error)}
}

// Standing is the position of one lane, according to its stream.
type Standing struct {
	// Gone says that the server itself reported that the lane does not exist.
	Gone bool
	// Err is why the lane cannot be read now.
	Err error
	// Needs says that the lane reads from ingest, and At where it stands, its fills
	// included.
	Needs bool
	At    Mark
}

// Take adds the standing of one lane. l is the ledger, and last the sequence that
// NewNeed was given.
func (n *Need) Take(service subjects.Name, s Standing, l Ledger, last uint64) {
	switch {
	case s.Gone:
		return
	case s.Err != nil:
		n.Unknown[service] = s.Err
		return
	case !s.Needs:
		return
	}
	// A position of an earlier epoch: the lane has not resumed yet, and needs all of
	// the present one.
	seq := s.At.Seq
	if s.At.Epoch < l.EpochOf(min(seq, last)) {
		seq = 0
	} else if !s.At.Time.IsZero() && (!n.stands || s.At.Before(n.Lowest.Position)) {
		n.Lowest, n.stands = s.At, true
	}
	if seq < n.Seq {
		n.Seq, n.Pinner, n.Pinned = seq, service, true
	}
}

// proven finds whether the event at the lowest mark is still the one that the lane
// processed. If ingest was rolled back and no lane has noticed yet, the lanes need
// events below their marks.
func (n *Need) proven(then func(bool) Step) Step {
	if !n.stands {
		return then(true)
	}
	return prove(n.Lowest, then)
}
