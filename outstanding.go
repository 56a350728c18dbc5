package replhub

import (
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// What the server has outstanding, beside what this instance has of it: the rest
// is with somebody else, who may be gone. The desk's mutex guards it all.

// remembered reports whether the consumer is still the one that was seen before,
// and knows of all that came from it; newest and view are what they were when it
// was asked. Where it is not, or does not, the session is over.
func (s *source) remembered(info *jetstream.ConsumerInfo, newest uint64, view int) bool {
	if s.created.IsZero() {
		s.created = info.Created
	}
	switch {
	case !info.Created.Equal(s.created):
		s.s.replan() // created again while nobody was there to be told
		return false
	case info.Delivered.Consumer < newest && view == s.view:
		s.newest = info.Delivered.Consumer
		s.forgotten()
		number := s.session.number
		s.session.restart(s)
		return s.session.number == number
	}
	return true
}

// inFlightSince counts the jobs that were in flight when a number of jobs had been linked,
// and still are: those that the server counted as unacknowledged in between. What
// came later it may not have counted yet, and what it has forgotten it does not
// count at all: either would stand for one that somebody else has.
func (s *source) inFlightSince(linked uint64) int {
	n := 0
	for j := s.first; j != nil && j.linked <= linked; j = j.later {
		if j.view == s.view {
			n++
		}
	}
	return n
}

// forgotten notes that the server does not know of all that it has delivered.
// Which of it is in doubt, so nothing counts until it comes again: what is below
// the rest the session calls for, and what is above comes by itself.
func (s *source) forgotten() { s.view++ }

// unknown are the sequences that were delivered and may be unacknowledged with
// somebody else, and those that were handled here and whose acknowledgement the
// server may have lost, or forgotten. Those of which neither is true are no news
// to the server.
func (s *source) unknown(info *jetstream.ConsumerInfo) (calls, done []uint64) {
	floor := floorOf(info)
	if info.Delivered.Stream > floor+nakSpan {
		return nil, nil
	}
	ours := make(map[uint64]bool, s.flight)
	for j := s.first; j != nil; j = j.later {
		if j.view == s.view {
			ours[j.seq] = true
		}
	}
	handled := make(map[uint64]bool, len(s.handled))
	for _, seq := range s.handled {
		handled[seq] = true
	}
	for seq := floor + 1; seq <= info.Delivered.Stream; seq++ {
		switch {
		case handled[seq]:
			done = append(done, seq)
		case !ours[seq]:
			calls = append(calls, seq)
		}
	}
	return calls, done
}

// floorOf is the sequence up to which a consumer has nothing to ask of workers. One
// that starts in the middle has an ack floor of 0 at first, on a cluster.
func floorOf(info *jetstream.ConsumerInfo) uint64 {
	return max(info.AckFloor.Stream, max(info.Config.OptStartSeq, 1)-1)
}

// ackSubject is where an acknowledgement of a delivery goes. The server goes by
// the stream sequence; the consumer's must be one that it has given out.
func ackSubject(stream, consumer string, seq, consumerSeq uint64) string {
	return "$JS.ACK." + stream + "." + consumer + ".1." + strconv.FormatUint(seq, 10) + "." + strconv.FormatUint(consumerSeq, 10) + ".0.0"
}
