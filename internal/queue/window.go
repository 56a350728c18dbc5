package queue

import "time"

const (
	// fast and slow are the times between two requests at which the window grows and
	// shrinks.
	fast = 100 * time.Millisecond
	slow = time.Second
	// silence is the number of seconds without a message from the server after which
	// a request counts as lost.
	silence = 4
)

// window is how many jobs of a source may be in flight, at most ceiling: as many as are
// done in about a tenth of a second. So an instance with slow handlers leaves the rest
// to other instances.
type window struct {
	size, ceiling int
	asked         int // messages that the server may still send
	askedAt       time.Time
}

// pull requests as many messages as there is room for.
func (s *Source) pull() {
	n := s.credit()
	if n == 0 {
		return
	}
	out := s.env.todo()
	out.Pulls = append(out.Pulls, Pull{Source: s, Epoch: s.epoch, Batch: n, Pin: s.Pin})
}

// credit is how many messages to request now.
func (s *Source) credit() int {
	switch {
	case s.closed, s.env.closed, !s.session.mayAsk(s):
		return 0
	case s.outages.on():
		return s.creditForProbe()
	}
	free := s.size - s.asked - s.active
	if free <= 0 || (s.asked > 0 && free < s.size/2) {
		return 0
	}
	if s.sources.lapsed() {
		return 0 // a new pin, obtained now, would seem to prove that this instance has the partition
	}
	s.pace()
	free = max(s.size-s.asked-s.active, 0)
	s.asked += free
	return free
}

// creditForProbe requests one event, and only if the sole candidate is the event that
// may itself cause the outage.
func (s *Source) creditForProbe() int {
	if s.asked > 0 || s.active >= s.size || s.outages.candidates() > 1 || s.sources.lapsed() {
		return 0
	}
	s.asked = 1
	return 1
}

// pace adapts the window to the time that the last requested jobs took.
func (s *Source) pace() {
	took := s.env.now.Sub(s.askedAt)
	s.askedAt = s.env.now
	switch {
	case s.env.cfg.Ordered && s.session.state != sessionOpen:
	case took < fast:
		s.size = min(2*s.size, s.ceiling)
	case took > slow && s.active > 0:
		s.size = max(s.size/2, min(s.env.cfg.leastWindow(), s.ceiling))
	}
}

// watch detects a lost request, and requests messages if no request is under way. If none
// may be requested now, it finds out whether the consumer still exists.
func (s *Source) watch() {
	if s.asked > 0 && s.env.seconds-s.heard > silence {
		s.asked = 0
		s.heard = s.env.seconds
		s.session.interrupted(s)
	}
	s.pull()
	s.listen()
}
