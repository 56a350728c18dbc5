package queue

import "time"

// The deliveries that the server counts as unacknowledged, beside those that this
// instance has: the difference is with another instance, which may be gone.

// nakSpan bounds the sequences that are called for one by one; beyond it the server's
// ack wait has to do.
const nakSpan = 100_000

// InfoRequest is a consumer to ask the server about.
type InfoRequest struct {
	Source  *Source
	session int // that asks; 0: a queue that stands still
	waiting int // jobs that waited then
}

// Info is what the server says of a consumer.
type Info struct {
	Created time.Time
	// AckFloor is up to where all is acknowledged, Start where the consumer begins;
	// both of the lane's sequences.
	AckFloor, Start uint64
	// Delivered and DeliveredSeq are the lane's and the consumer's sequences of the
	// last delivery.
	Delivered, DeliveredSeq uint64
	// Unacknowledged is how many deliveries are, of MaxUnacknowledged; 0 is no bound.
	Unacknowledged, MaxUnacknowledged int
	// Undelivered is how many messages have not been delivered.
	Undelivered uint64
}

// floor is the sequence up to which a consumer has nothing to ask of workers. One
// that starts in the middle has an ack floor of 0 at first, on a cluster.
func (i *Info) floor() uint64 { return max(i.AckFloor, max(i.Start, 1)-1) }

// ConsumerInfo takes the answer to a request; nil where there is none.
func (s *Scheduler) ConsumerInfo(now time.Time, req InfoRequest, info *Info) {
	s.now = now
	if req.session == 0 {
		req.Source.crowdedBy(req.waiting, info)
		return
	}
	req.Source.session.seen(req.Source, req.session, info)
}

// remembered reports whether the consumer is still the one that was seen before, and
// knows of all that came from it. Where it is not, or does not, the session is over.
func (s *Source) remembered(info *Info) bool {
	n := &s.session
	if s.created.IsZero() {
		s.created = info.Created
	}
	switch {
	case !info.Created.Equal(s.created):
		s.s.todo().QueuesChanged = true // created again while nobody was there to be told
		return false
	case info.DeliveredSeq < n.look.newest && n.look.memory == s.memory:
		s.newest = info.DeliveredSeq
		s.forget()
		number := n.number
		n.restart(s)
		return n.number == number
	}
	return true
}

// callFor has the server deliver again each copy that another instance may have, and
// acknowledges again each copy that was handled here, since the server may have lost or
// forgotten the acknowledgement. A copy for which neither is true is not mentioned.
func (s *Source) callFor(info *Info) {
	floor := info.floor()
	if info.Delivered > floor+nakSpan {
		return
	}
	ours := make(map[uint64]bool, s.count)
	for j := s.first; j != nil; j = j.later {
		if j.memory == s.memory {
			ours[j.Seq] = true
		}
	}
	handled := make(map[uint64]bool, len(s.handled.seqs))
	for _, seq := range s.handled.seqs {
		handled[seq] = true
	}
	settle := Settle{Source: s, Consumer: info.DeliveredSeq}
	for seq := floor + 1; seq <= info.Delivered; seq++ {
		switch {
		case handled[seq]:
			settle.Done = append(settle.Done, seq)
		case !ours[seq]:
			settle.Nak = append(settle.Nak, seq)
		}
	}
	if len(settle.Done)+len(settle.Nak) > 0 {
		out := s.s.todo()
		out.Settle = append(out.Settle, settle)
	}
}
