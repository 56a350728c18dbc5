package history

import (
	"time"
)

// The ack floor that the server reports is its store's, and can stay behind
// permanently: a delivery that runs out does not move it (nats-server 2.15.2,
// filestore.go, consumerFileStore.UpdateDelivered), nor does an acknowledgement of a
// copy whose delivery the store missed while the leader moved (UpdateAcks). Both are
// corrected only with the next copy, and a full lane takes none: it would stay full
// for ever.
//
// The leader itself drops a copy from what workers hold only when it is
// acknowledged, terminated or exhausted. So an answer that says that no worker
// holds a copy is true of everything up to what was delivered, however old it is,
// with one exception: a leader that begins, for the milliseconds until it has read
// its store. Two equal answers that lie StandsAfter apart are not both from such a
// moment: an answer of a leader that says that it is younger than leaderSettles does not
// count. Servers say that of replicated consumers. A consumer without replicas begins
// only with its server, so the server would have to restart twice, and be asked twice in
// the first milliseconds.
//
// An answer is from some time between its request and its arrival, and it can come very
// late, for instance to a process that stood still meanwhile. So the first of the two
// counts from its arrival, and the second from its request.

// StandsAfter is how long a consumer must stand still to count as settled up to its
// last delivery.
const StandsAfter = 10 * time.Second

// leaderSettles is how long a leader must have led until its answers count. It is much
// longer than a leader needs to read its store.
const leaderSettles = 5 * time.Second

// Consumer is the content of one answer of the server about a consumer.
type Consumer struct {
	Created time.Time
	// Delivered and AckFloor are where it stands.
	Delivered, AckFloor Place
	// Held is how many copies workers hold. Pending is the server's count of waiting
	// copies, which proves nothing.
	Held    int
	Pending uint64
	// Start is the lane's sequence at which it was created to start; 0 means the
	// first.
	Start uint64
	// Leading is how long the leader that answered had led; 0 if it did not say.
	Leading time.Duration
}

// Place is a message by its sequence in the stream and its number in the consumer.
type Place struct{ Stream, Consumer uint64 }

// standing is where a consumer stood at the last look.
type standing struct {
	at Consumer
	// since is when the first answer came that saw the consumer there while no worker
	// held a copy; zero when a worker held one, or the last answer does not count.
	since time.Time
}

// look returns the standing after another answer of the server.
func (s standing) look(at Consumer, came time.Time) standing {
	next := standing{at: at}
	if at.Held > 0 || at.Leading > 0 && at.Leading < leaderSettles {
		return next
	}
	next.since = came
	if !s.since.IsZero() && s.at.Created.Equal(at.Created) && s.at.Delivered == at.Delivered && s.at.AckFloor == at.AckFloor {
		next.since = s.since
	}
	return next
}

// floor is the sequence up to which workers need nothing. A consumer that starts in
// the middle has an ack floor of 0 at first, on a cluster; the copies before its
// start were already processed when it was created.
func (s standing) floor(asked time.Time) uint64 {
	before := max(s.at.Start, 1) - 1
	if !s.since.IsZero() && asked.Sub(s.since) >= StandsAfter {
		return max(s.at.AckFloor.Stream, before, s.at.Delivered.Stream)
	}
	return max(s.at.AckFloor.Stream, before)
}

// Standings record where the consumers of one lane stand. The zero value is empty.
type Standings struct {
	of     map[string]standing
	floors map[string]uint64 // is replaced, not changed
}

// Look notes where consumers stand, and returns their floors by name. It forgets
// consumers that are gone. asked is when the server was asked, came when its last answer
// had come, both by the process's clock.
func (s *Standings) Look(consumers map[string]Consumer, asked, came time.Time) map[string]uint64 {
	next := make(map[string]standing, len(consumers))
	floors := make(map[string]uint64, len(consumers))
	for name, at := range consumers {
		next[name] = s.of[name].look(at, came)
		floors[name] = next[name].floor(asked)
	}
	s.of, s.floors = next, floors
	return floors
}

// Last returns the floors of the last look.
func (s *Standings) Last() map[string]uint64 { return s.floors }

// Behind is a consumer whose ack floor lies behind its last delivery, while by the
// server's counts no consumer has work; empty when there is none. It is only for
// messages, because the counts prove nothing.
func (s *Standings) Behind() string {
	behind := ""
	for name, standing := range s.of {
		at := standing.at
		switch {
		case at.Pending > 0 || at.Held > 0:
			return ""
		case at.AckFloor.Stream < at.Delivered.Stream && (behind == "" || name < behind):
			behind = name
		}
	}
	return behind
}
