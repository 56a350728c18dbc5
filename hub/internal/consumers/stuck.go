package consumers

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A consumer is stuck if the server delivers nothing although a copy is due, a request
// waits, and nothing forbids the delivery: the consumer is not paused, and workers hold
// fewer copies than they may. The server would deliver within milliseconds. A minute
// without a delivery is a fault of the server, which only a new consumer ends.
//
// The server's count of waiting copies proves nothing. Whether a copy is due is read
// from the stream's leader, once, when the consumer has stood still between two looks:
// a copy that is due stays due as long as nothing is delivered.

// stuckAfter is how long a consumer must have delivered nothing to count as stuck.
const stuckAfter = time.Minute

// looksPerVerdict is the number of looks at a consumer within stuckAfter.
const looksPerVerdict = 6

// sight is what one answer of the server says of a consumer.
type sight struct {
	created time.Time
	// deliveries counts the deliveries since the consumer was created.
	deliveries uint64
	// able says that a request waits and that nothing forbids a delivery.
	able bool
	// held is the number of copies that workers hold.
	held int
	// last is the lane's last sequence, as far as this hub knows.
	last uint64
}

func sightOf(info *jetstream.ConsumerInfo, last uint64) sight {
	room := info.Config.MaxAckPending <= 0 || info.NumAckPending < info.Config.MaxAckPending
	return sight{
		created: info.Created, deliveries: info.Delivered.Consumer,
		able: info.NumWaiting > 0 && !info.Paused && room,
		held: info.NumAckPending, last: last,
	}
}

// verdict is what a look at a consumer results in.
type verdict int

const (
	// works: the consumer delivers, or nobody can tell yet.
	works verdict = iota
	// doubtful: the look at whether a copy is due comes next (still.due).
	doubtful
	// stuck: the consumer is to be named, and created again later.
	stuck
	// lost: the consumer is to be named, and created again now.
	lost
)

// still follows one consumer. The zero value has seen nothing.
type still struct {
	now  sight
	seen time.Time // the last look
	// since is when a copy was known to be due at this delivery; zero while none is.
	since time.Time
	// settled is the lane's last sequence at which no copy was due.
	settled uint64
	// named is when the consumer was last found stuck, namedAs what it was then.
	named   time.Time
	namedAs sight
	// foreign is when the consumer was created, if the last look found it to be of another
	// rewind or lane.
	foreign time.Time
}

// look notes an answer of the server that came at a time.
func (s *still) look(now sight, at time.Time, after time.Duration) verdict {
	before, seen := s.now, s.seen
	s.now, s.seen = now, at
	same := before.created.Equal(now.created) && before.deliveries == now.deliveries && before.able
	switch {
	// Between two looks that lie far apart requests may have come and gone.
	case !same || !now.able || at.Sub(seen) > after:
		s.since, s.settled = time.Time{}, 0
		return works
	case s.since.IsZero() && s.settled == now.last:
		return works
	case s.since.IsZero():
		return doubtful
	case at.Sub(s.since) < after:
		return works
	}
	s.named, s.namedAs = at, now
	// An acknowledgement behind the ack floor is forgotten with the consumer. Workers
	// therefore get as much time again to settle the copies that they hold.
	if now.held > 0 && at.Sub(s.since) < 2*after {
		return stuck
	}
	return lost
}

// due notes whether a copy lies behind the last delivery.
func (s *still) due(is bool) {
	switch {
	case !is:
		s.since, s.settled = time.Time{}, s.now.last
	case s.since.IsZero():
		s.since = s.seen
	}
}

// over reports whether a consumer that was named is in order again: it has delivered
// since then, or it has not been found stuck for a while.
func (s *still) over(after time.Duration) bool {
	if s.named.IsZero() {
		return false
	}
	same := s.namedAs.created.Equal(s.now.created)
	delivered := s.now.deliveries > 0 && (!same || s.now.deliveries != s.namedAs.deliveries)
	if delivered || s.since.IsZero() && s.seen.Sub(s.named) >= after {
		s.named = time.Time{}
		return true
	}
	return false
}
