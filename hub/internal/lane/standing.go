package lane

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The ack floor that the server tells is its store's, and can stay behind for good:
// a delivery that runs out does not move it (nats-server 2.15.2, filestore.go,
// consumerFileStore.UpdateDelivered), nor does an acknowledgement of a copy whose
// delivery the store missed while the leader moved (UpdateAcks). Both wait for the
// next copy, and a full lane takes none: it would stay full for ever.
//
// The leader itself drops a copy from what workers hold only when it is
// acknowledged, terminated or exhausted. So an answer that says that no worker
// holds a copy is true of everything up to what was delivered, however old it is,
// with one exception: a leader that begins, for the milliseconds until it has read
// its store. Two equal answers that lie standsAfter apart are not both from such a
// moment.

// standsAfter is how long a consumer must stand still to count as settled up to
// what it delivered.
const standsAfter = 10 * time.Second

// standing is where a consumer stood at the last look.
type standing struct {
	created             time.Time
	delivered, ackFloor jetstream.SequenceInfo
	// before is the sequence up to which it was created to leave everything out.
	before uint64
	// since is when it was first seen there without a copy in a worker's hands;
	// zero when a worker held one.
	since time.Time
	// idle: the server counts nothing for its workers to do.
	idle bool
}

// look is the standing after another answer of the server.
func (s standing) look(info *jetstream.ConsumerInfo, now time.Time) standing {
	next := standing{
		created: info.Created, delivered: info.Delivered, ackFloor: info.AckFloor,
		before: max(info.Config.OptStartSeq, 1) - 1,
		idle:   info.NumPending == 0 && info.NumAckPending == 0,
	}
	next.delivered.Last, next.ackFloor.Last = nil, nil
	if info.NumAckPending > 0 {
		return next
	}
	next.since = now
	if !s.since.IsZero() && s.created.Equal(next.created) && s.delivered == next.delivered && s.ackFloor == next.ackFloor {
		next.since = s.since
	}
	return next
}

// floor is the sequence up to which workers need nothing. A consumer that starts in
// the middle has an ack floor of 0 at first, on a cluster; what lies before its start
// was dealt with when it was created there.
func (s standing) floor(now time.Time) uint64 {
	if !s.since.IsZero() && now.Sub(s.since) >= standsAfter {
		return max(s.ackFloor.Stream, s.before, s.delivered.Stream)
	}
	return max(s.ackFloor.Stream, s.before)
}

// standings are where the consumers of one lane stand. It is safe for concurrent
// use; the zero value knows nothing yet.
type standings struct {
	mu     sync.Mutex // guards the rest
	of     map[string]standing
	floors map[string]uint64 // is replaced, not changed
}

// look takes notice of where consumers stand, and gives their floors by name as
// these answers tell them. It forgets consumers that are gone.
func (s *standings) look(consumers map[string]*jetstream.ConsumerInfo, now time.Time) map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]standing, len(consumers))
	floors := make(map[string]uint64, len(consumers))
	for name, info := range consumers {
		next[name] = s.of[name].look(info, now)
		floors[name] = next[name].floor(now)
	}
	s.of, s.floors = next, floors
	return floors
}

// last are the floors of the last look.
func (s *standings) last() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.floors
}

// behind is a consumer whose ack floor lies behind what it delivered, while no
// consumer has anything to do by the server's counts; empty when there is none. It
// is for words only: the counts prove nothing.
func (s *standings) behind() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	behind := ""
	for name, at := range s.of {
		switch {
		case !at.idle:
			return ""
		case at.ackFloor.Stream < at.delivered.Stream && (behind == "" || name < behind):
			behind = name
		}
	}
	return behind
}
