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

	s       *Scheduler
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

// Open opens the only source of a lane without order.
func (s *Scheduler) Open(now time.Time) *Source {
	s.now, s.shares = now, 1
	src := s.newSource(-1)
	s.subscribe(src)
	src.pull()
	return src
}

func (s *Scheduler) newSource(partition int) *Source {
	src := &Source{Partition: partition, s: s, heard: s.seconds}
	src.size, src.ceiling = s.cfg.leastWindow(), s.cfg.ceiling(s.shares)
	src.tookAt = s.seconds
	s.sources = append(s.sources, src)
	return src
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

// Delivered takes a message.
func (s *Scheduler) Delivered(now time.Time, src *Source, j *Job, at Place) {
	s.now = now
	if src.closed || at.Epoch != src.epoch {
		if src.closed && at.Epoch == src.epoch { // the message was on its way when the intake ended
			s.ack(AckNak, j.Reply)
		}
		return
	}
	src.heard, src.tookAt = s.seconds, s.seconds
	src.asked = max(src.asked-1, 0)
	j.src, j.tick = src, s.ticks
	switch {
	case s.cfg.Ordered && !src.inSession(j, at):
		if known := src.known(j.Seq); src.handled.has(j.Seq) || known != nil && known.settled {
			s.ack(AckDone, j.Reply)
		}
		src.pull()
		return
	case !s.cfg.Ordered && j.Delivered > 1 && src.known(j.Seq) != nil:
		return
	}
	src.link(j)
	if s.cfg.Ordered && src.session.state != sessionOpen {
		src.session.hold(src, j)
	} else {
		s.enqueue(j)
	}
	src.pull()
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

// PullEnded takes the server's message that a request has ended. unsent is how many
// messages of the request will not come; -1 means all requested messages.
func (s *Scheduler) PullEnded(now time.Time, src *Source, epoch int, end PullEnd, unsent int) {
	s.now = now
	if epoch != src.epoch {
		return
	}
	src.heard = s.seconds
	if unsent < 0 {
		unsent = src.asked
	}
	src.asked = max(src.asked-unsent, 0)
	if src.closed {
		return
	}
	switch end {
	case PullOver:
		src.pull()
	case PullUnpinned:
		src.asked = 0
		src.session.unpinned(src)
		src.pull()
	case PullNoConsumer:
		src.asked = 0
		s.todo().QueuesChanged = true
	case PullInterrupted: // the next second requests messages again
		src.asked = 0
		src.session.interrupted(src)
	}
}

// mine reports whether this instance may begin jobs of the source.
func (s *Source) mine() bool {
	return !s.closed && !s.s.closed && (!s.s.cfg.Ordered || s.session.confirmed)
}

// remember notes that a copy is settled.
func (s *Source) remember(seq uint64) {
	if s.s.cfg.Ordered {
		s.handled.add(seq)
	}
}
