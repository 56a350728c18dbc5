package replhub

import "time"

// StandStill makes a running subscriber believe that its process was stopped
// for d until now.
func (s *Subscriber) StandStill(d time.Duration) {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.desk.lease.from = time.Now().Add(-d)
}

// LosePins is StandStill, and meanwhile the server has given the pins away.
func (s *Subscriber) LosePins(d time.Duration) {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.desk.lease.from = time.Now().Add(-d)
	for src := range s.desk.sources {
		src.session.pin = "somebody's"
	}
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
