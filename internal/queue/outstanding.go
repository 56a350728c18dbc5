package queue

import "time"

// The server's count of unacknowledged deliveries is compared with the deliveries
// that this instance has. Another instance, which may have ended, has the rest.

// nakSpan bounds the sequences whose redelivery is requested one by one; beyond it,
// the server redelivers after its ack wait.
const nakSpan = 100_000

// InfoRequest is a consumer to ask the server about.
type InfoRequest struct {
	Source  *Source
	session int // the session that asks; 0 for a queue that stands still or is quiet
	waiting int // jobs that waited then; 0 for a quiet queue
}

// Info is the server's report on a consumer.
type Info struct {
	// Gone says that the consumer does not exist. The other fields are then zero.
	Gone    bool
	Created time.Time
	// AckFloor is the sequence up to which every copy is acknowledged, Start the one
	// at which the consumer begins; both are sequences of the lane.
	AckFloor, Start uint64
	// Delivered and DeliveredSeq are the lane's and the consumer's sequences of the
	// last delivery.
	Delivered, DeliveredSeq uint64
	// Unacknowledged is how many deliveries are unacknowledged, and MaxUnacknowledged
	// their bound; 0 means no bound.
	Unacknowledged, MaxUnacknowledged int
	// Undelivered is how many messages have not been delivered.
	Undelivered uint64
}

// floor is the sequence up to which a consumer needs no acknowledgement. On a
// cluster, a consumer that starts in the middle has an ack floor of 0 at first.
func (i *Info) floor() uint64 { return max(i.AckFloor, max(i.Start, 1)-1) }

// informed takes the answer to a request.
func (s *Source) informed(req InfoRequest, info *Info) {
	if s.closed {
		return
	}
	switch {
	case info != nil && !s.same(info):
		// No message has announced that: no request was under way, or the message was lost.
		s.env.todo().QueuesChanged = true
	case req.session > 0:
		s.session.seen(s, req.session, info)
	case req.waiting > 0:
		s.crowdedBy(req.waiting, info)
	default:
		s.quiet = quiet{since: s.env.seconds}
	}
}

// same reports whether a consumer is the one seen before.
func (s *Source) same(info *Info) bool {
	if s.created.IsZero() && !info.Gone {
		s.created = info.Created
	}
	return !info.Gone && info.Created.Equal(s.created)
}

// quiet says when the server was last asked whether a consumer still exists.
type quiet struct {
	since uint32 // the second of the last answer
	asked bool   // a question is under way
}

// quietAfter is the number of seconds without a message and without a request under way
// after which a consumer may have ended unnoticed.
const quietAfter = 2

// listen asks the server about a source for which no request is under way, as in an
// outage: the end of its consumer would not be announced. A session that looks at the
// consumer finds out by itself; one that waits for its first message does not look.
func (s *Source) listen() {
	looks := s.session.look.asking || !s.session.look.due.IsZero()
	if looks || s.asked > 0 || s.closed || s.quiet.asked || s.env.seconds-max(s.heard, s.quiet.since) < quietAfter {
		return
	}
	s.quiet.asked = true
	s.env.askInfo(InfoRequest{Source: s})
}

// remembered reports whether the consumer still knows all its deliveries. Otherwise the
// session is over.
func (s *Source) remembered(info *Info) bool {
	n := &s.session
	if info.DeliveredSeq < n.look.newest && n.look.memory == s.memory {
		s.newest = info.DeliveredSeq
		s.forget()
		number := n.number
		n.restart(s)
		return n.number == number
	}
	return true
}

// callFor makes the server redeliver each copy that another instance may have, and
// acknowledges again each copy that was handled here, since the server may have lost
// the acknowledgement. Other copies are left out.
func (s *Source) callFor(info *Info) {
	floor := info.floor()
	if info.Delivered > floor+nakSpan {
		return
	}
	ours := make(map[uint64]bool, s.count)
	handled := make(map[uint64]bool, len(s.handled.seqs))
	for j := s.first; j != nil; j = j.later {
		if j.settled {
			handled[j.Seq] = true
		} else if j.memory == s.memory {
			ours[j.Seq] = true
		}
	}
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
		out := s.env.todo()
		out.Settle = append(out.Settle, settle)
	}
}
