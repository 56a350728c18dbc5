package replhub

import "time"

// StandStill makes a running subscriber believe that its process was stopped
// for d until now. The returned function waits until it has drawn its conclusions.
func (s *Subscriber) StandStill(d time.Duration) (drawn func()) {
	return s.driver.standStill(d, false)
}

// LosePins is StandStill, and meanwhile the server has given the pins away.
func (s *Subscriber) LosePins(d time.Duration) (drawn func()) {
	return s.driver.standStill(d, true)
}

func (d *driver) standStill(stopped time.Duration, losePins bool) (drawn func()) {
	noticed := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.standstills
	}
	before := noticed()
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now
	d.now = func() time.Time { return now().Add(stopped) }
	for _, src := range d.core.Sources() {
		if losePins {
			src.Pin = "somebody's"
		}
	}
	return func() {
		for noticed() == before {
			<-time.After(time.Millisecond)
		}
	}
}

// InFlight is how many events a running subscriber has taken and not settled.
func (s *Subscriber) InFlight() int {
	s.driver.mu.Lock()
	defer s.driver.mu.Unlock()
	return s.driver.core.InFlight()
}
