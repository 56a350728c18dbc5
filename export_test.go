package replhub

import "time"

// StandStill makes a running subscriber believe that its process was stopped
// for d until now, and returns once it has drawn its conclusions.
func (s *Subscriber) StandStill(d time.Duration) {
	s.standStill(d, func(*source) {})
}

// LosePins is StandStill, and meanwhile the server has given the pins away.
func (s *Subscriber) LosePins(d time.Duration) {
	s.standStill(d, func(src *source) { src.session.pin = "somebody's" })
}

func (s *Subscriber) standStill(d time.Duration, meanwhile func(*source)) {
	locked := func(do func()) {
		s.desk.mu.Lock()
		defer s.desk.mu.Unlock()
		do()
	}
	for doubted := false; !doubted; {
		var over time.Time
		inboxes := make(map[*source]string)
		locked(func() {
			over = time.Now().Add(-d)
			s.desk.lease.from = over
			for src := range s.desk.sources {
				meanwhile(src)
				inboxes[src] = src.inbox
			}
		})
		// An answer that was on its way renews the lease as well, of a process
		// that did not stand still then.
		for renewed := false; !renewed; {
			<-time.After(time.Millisecond)
			locked(func() {
				renewed = s.desk.lease.from.After(over)
				for src, inbox := range inboxes {
					doubted = doubted || src.inbox != inbox
				}
			})
		}
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
