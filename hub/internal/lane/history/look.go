package history

import "time"

// Step is what a Look asks for next: one of the types below.
type Step interface{ step() }

// SeeStream asks the stream's leader for its bounds: StreamSeen. It comes first, so
// that messages appended later count as needed.
type SeeStream struct{}

// SeeConsumers asks where all of the hub's consumers of the lane stand, one answer
// each: ConsumersSeen.
type SeeConsumers struct{}

// SeeRecord asks for the consumers that the lane's state record has, and which of the
// consumers that were seen are not of its last rewind: RecordSeen. It comes behind
// SeeConsumers, so that a rewind since then is noticed.
type SeeRecord struct{}

// SeeMatch asks the stream's leader for the sequence of the last message that a
// consumer's filter lets through, 0 for none: MatchSeen.
type SeeMatch struct{ Consumer string }

// SeeTime asks when a message was stored: TimeSeen.
type SeeTime struct{ Seq uint64 }

// SeeHeld asks for the lowest sequence that must stay because its dead letter may be
// missing: HeldSeen.
type SeeHeld struct{}

// Found ends a Look: the messages below Keep may be purged. First is the lane's first
// sequence.
type Found struct{ First, Keep uint64 }

// Missing ends a Look at a lane that lacks a consumer: it is unknown which copies
// that consumer has not acknowledged.
type Missing struct{ Consumer string }

// Rewinding ends a Look at a lane whose workers are just being rewound: Consumer is from
// before the rewind.
type Rewinding struct{ Consumer string }

func (SeeStream) step()    {}
func (SeeConsumers) step() {}
func (SeeRecord) step()    {}
func (SeeMatch) step()     {}
func (SeeTime) step()      {}
func (SeeHeld) step()      {}
func (Found) step()        {}
func (Missing) step()      {}
func (Rewinding) step()    {}

// Look finds which messages of a lane may be purged.
type Look struct {
	cutoff time.Time
	next   Step

	first, last uint64
	floors      map[string]uint64
	lowest      *Lowest
	// low and high bound the first message that was stored at the cutoff or later.
	low, high uint64
}

// NewLook begins a look for messages that were stored before a time.
func NewLook(cutoff time.Time) *Look { return &Look{cutoff: cutoff, next: SeeStream{}} }

// Next returns the look's next question, or its end.
func (l *Look) Next() Step { return l.next }

// StreamSeen answers SeeStream: its first and last sequence, how many messages it holds
// and when the first message was stored.
func (l *Look) StreamSeen(first, last, messages uint64, firstTime time.Time) {
	l.first, l.last = first, last
	l.next = SeeConsumers{}
	if messages == 0 || firstTime.After(l.cutoff) {
		l.next = Found{First: first}
	}
}

// ConsumersSeen answers SeeConsumers with their floors by name, as Standings tell them.
func (l *Look) ConsumersSeen(floors map[string]uint64) {
	l.floors, l.next = floors, SeeRecord{}
}

// RecordSeen answers SeeRecord with the names of the consumers. What a consumer has
// acknowledged before a rewind says nothing of the copies that are due since.
func (l *Look) RecordSeen(consumers, before []string) {
	if len(before) > 0 {
		l.next = Rewinding{before[0]}
		return
	}
	for _, name := range consumers {
		if _, there := l.floors[name]; !there {
			l.next = Missing{name}
			return
		}
	}
	l.lowest = NewLowest(l.last, l.floors)
	l.nextFloor()
}

// nextFloor asks for the last match of the consumer with the lowest floor, as long as
// a consumer can lower the lane's floor.
func (l *Look) nextFloor() {
	if consumer, more := l.lowest.Next(); more {
		l.next = SeeMatch{consumer}
		return
	}
	l.low, l.high = l.first, min(l.last, l.lowest.Floor()+1)
	l.search()
}

// MatchSeen answers SeeMatch.
func (l *Look) MatchSeen(seq uint64) {
	l.lowest.Match(seq)
	l.nextFloor()
}

// search looks for the first message that is too young to be purged.
func (l *Look) search() {
	switch {
	case l.low < l.high:
		l.next = SeeTime{l.low + (l.high-l.low)/2}
	case l.low <= l.first:
		l.next = Found{l.first, l.low}
	default:
		l.next = SeeHeld{}
	}
}

// TimeSeen answers SeeTime. A message that is already gone counts as old enough.
func (l *Look) TimeSeen(stored time.Time, found bool) {
	mid := l.low + (l.high-l.low)/2
	if !found || stored.Before(l.cutoff) {
		l.low = mid + 1
	} else {
		l.high = mid
	}
	l.search()
}

// HeldSeen answers SeeHeld.
func (l *Look) HeldSeen(lowest uint64) { l.next = Found{l.first, min(l.low, lowest)} }

// Below is the sequence below which a lane is purged; 0 means no purge. It is the
// sequence found, but at most that of the newest state record. A lane that shrank
// meanwhile is not purged, because a purge beyond the last message would empty the
// stream and make its sequence jump.
func Below(f Found, stateSeq, last uint64) uint64 {
	below := min(f.Keep, stateSeq)
	if below <= f.First || below > last {
		return 0
	}
	return below
}
