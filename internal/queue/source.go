package queue

import "time"

// Source is one consumer of the lane as this instance uses it: the consumer of a
// partition, or the only consumer of a lane without order. It requests only as many
// messages as it has room for, so that this instance knows every message that the server
// has sent, and keeps it alive with in-progress acknowledgements.
type Source struct {
	// Partition is the partition's number; -1 in a lane without order.
	Partition int
	// Pin is the server's proof that this instance has the partition's consumer; empty
	// for none.
	Pin string
	// Owner is the driver's record of the source.
	Owner any

	env     *env
	rows    *rows
	outages *outages
	sources *sources
	epoch   int // counts the subscriptions
	closed  bool
	running int    // number of jobs that workers have
	heard   uint32 // the second of the server's last message
	inflight
	window
	session session
	handled handled
	queueState
	crowding
	quiet quiet
}

// queueState is the state of the consumer as far as deliveries have shown it.
type queueState struct {
	// newest is the consumer's sequence of the last delivery.
	newest uint64
	// highest is the greatest lane sequence among the first deliveries.
	highest uint64
	// created is when the consumer was created; zero while that is unknown.
	created time.Time
}

// Place is a delivery's place among those of its consumer.
type Place struct {
	// Epoch is the epoch of the subscription on which the delivery came.
	Epoch int
	// Seq is the consumer's sequence.
	Seq uint64
	// Pin is the pin in the message.
	Pin string
}

func (s *Source) delivered(j *Job, at Place) {
	if s.closed || at.Epoch != s.epoch {
		if s.closed && at.Epoch == s.epoch { // the message was on its way when the intake ended
			s.env.ack(AckNak, j.Reply)
		}
		return
	}
	s.heard, s.tookAt = s.env.seconds, s.env.seconds
	s.asked = max(s.asked-1, 0)
	j.src, j.tick = s, s.env.ticks
	ordered, session := s.env.cfg.Ordered, s.session.number
	switch {
	case ordered && !s.inSession(j, at):
		if known := s.known(j.Seq); s.handled.has(j.Seq) || known != nil && known.settled {
			s.cameAgain(j, session)
		}
		s.pull()
		return
	case !ordered && j.Delivered > 1 && s.known(j.Seq) != nil:
		return
	}
	s.link(j)
	if ordered && s.session.state != sessionOpen {
		s.session.hold(s, j)
	} else {
		s.rows.enqueue(j)
	}
	s.pull()
}

// cameAgain takes a copy that was handled here. It is acknowledged, unless it may come from
// another consumer of the same name: a rewind creates one, and its copies must be handled
// again. A first delivery comes from such a consumer, or from a server that has forgotten the
// deliveries. So the session looks at the consumer. If that is the same one, the look has
// the copies acknowledged that were handled. before is the session's number before the copy
// came.
func (s *Source) cameAgain(j *Job, before int) {
	switch {
	case s.session.number != before: // it looks already
	case j.Delivered == 1:
		s.session.restart(s)
	case s.session.looked:
		s.env.ack(AckDone, j.Reply)
	}
}

// PullEnd is how the server ended a request for messages, other than by sending all.
type PullEnd uint8

// Ends of a pull.
const (
	PullOver        PullEnd = iota // the time of the request is over, or there are no messages
	PullUnpinned                   // the pin is not the pin of the partition's holder
	PullNoConsumer                 // the consumer is gone or has changed
	PullInterrupted                // anything else, such as a change of leaders
)

func (s *Source) pullEnded(epoch int, end PullEnd, unsent int) {
	if epoch != s.epoch {
		return
	}
	s.heard = s.env.seconds
	if unsent < 0 {
		unsent = s.asked
	}
	s.asked = max(s.asked-unsent, 0)
	if s.closed {
		return
	}
	switch end {
	case PullOver:
		s.pull()
	case PullUnpinned:
		s.asked = 0
		s.session.unpinned(s)
		s.pull()
	case PullNoConsumer:
		s.asked = 0
		s.env.todo().QueuesChanged = true
	case PullInterrupted: // the next second requests messages again
		s.asked = 0
		s.session.interrupted(s)
	}
}

// mine reports whether this instance may begin jobs of the source.
func (s *Source) mine() bool {
	return !s.closed && !s.env.closed && (!s.env.cfg.Ordered || s.session.confirmed)
}

// remember notes that a copy is settled.
func (s *Source) remember(seq uint64) {
	if s.env.cfg.Ordered {
		s.handled.add(seq)
	}
}

// doubt discards the jobs that have not begun, and begins a new session.
func (s *Source) doubt() {
	s.session.confirmed, s.session.proving, s.session.byPin = false, false, false
	s.session.discarded = s.discard()
	s.session.last, s.asked = 0, 0
	s.forget() // a job that still runs here may be settled by another instance
	for j := s.first; j != nil; j = j.later {
		j.doubted = true
	}
	s.env.subscribe(s)
	s.session.begin(s)
}
