package retention

import "github.com/replhub/replhub/subjects"

// Need is what the lanes still need of ingest.
type Need struct {
	// Seq is the sequence that the lane furthest behind stands at: everything up to
	// there, that event itself apart, may go. It is the end of ingest where no lane
	// needs anything.
	Seq uint64
	// Pinner is that lane, when Pinned is set.
	Pinner subjects.Name
	Pinned bool
	// Unknown are the lanes of which it cannot be told, with the reason.
	Unknown map[subjects.Name]error
	// Lowest is the mark furthest behind that names an event, among the lanes that stand
	// in the present epoch, also where that is the end of ingest or beyond; zero where
	// there is none. A mark without a time proves nothing, and one that lies further
	// ahead proves as much.
	Lowest Mark
	stands bool
}

// NewNeed is the need of no lane at all, in an ingest whose last event is last.
func NewNeed(last uint64) Need {
	return Need{Seq: last, Unknown: make(map[subjects.Name]error)}
}

// Standing is what one lane's stream says.
type Standing struct {
	// Gone is the server's own word that there is no such lane.
	Gone bool
	// Err is why the lane cannot be read now.
	Err error
	// Needs says that the lane reads from ingest, and At where it stands, its fills
	// included.
	Needs bool
	At    Mark
}

// Take takes in what one lane's stream says. l is the ledger, and last the sequence
// that NewNeed was given.
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

// proven finds whether the lowest mark is still the event that the lane took there:
// where ingest was rolled back and no lane has noticed yet, the lanes need events
// below their marks.
func (n *Need) proven(then func(bool) Step) Step {
	if !n.stands {
		return then(true)
	}
	return prove(n.Lowest, then)
}
