package replhub

import "time"

// StandStill makes a running subscriber believe that its process was stopped
// for d until now. The returned function waits until it has drawn its conclusions.
func (s *Subscriber) StandStill(d time.Duration) (drawn func()) {
	return s.standStill(d, func(*source) {})
}

// LosePins is StandStill, and meanwhile the server has given the pins away.
func (s *Subscriber) LosePins(d time.Duration) (drawn func()) {
	return s.standStill(d, func(src *source) { src.session.pin = "somebody's" })
}

func (s *Subscriber) standStill(d time.Duration, meanwhile func(*source)) (drawn func()) {
	from := func() time.Time {
		s.desk.mu.Lock()
		defer s.desk.mu.Unlock()
		return s.desk.lease.from
	}
	renewed := func(since time.Time) {
		for !from().After(since) {
			<-time.After(time.Millisecond)
		}
	}
	// Right behind a renewal, or an answer on its way would be the next one.
	renewed(from())
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	over := time.Now().Add(-d)
	s.desk.lease.from = over
	for src := range s.desk.sources {
		meanwhile(src)
	}
	return func() { renewed(over) }
}

// InFlight is how many events a running subscriber has taken and not settled.
func (s *Subscriber) InFlight() int {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	n := 0
	for src := range s.desk.sources {
		n += src.flight
	}
	return n
}
