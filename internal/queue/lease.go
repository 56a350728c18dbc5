package queue

import "time"

// lease is how long this instance may count on its partitions. It is renewed by
// each answer of a hub, from when the request was sent, and by finding no hub,
// who alone could give the partitions to another instance. A process that stood
// still finds it over.
type lease struct {
	from time.Time
	ttl  time.Duration
}

// leaseTTL holds until a hub has said how long.
const leaseTTL = 3 * time.Second

// over reports whether the time is up, by the monotonic clock or by that on the
// wall: while a machine is suspended only the latter goes on.
func (l *lease) over(now time.Time) bool {
	return now.Sub(l.from) > l.ttl || now.Round(0).Sub(l.from.Round(0)) > l.ttl
}

func (l *lease) renew(from time.Time) {
	if from.After(l.from) {
		l.from = from
	}
}

// lapsed reports whether the time is over for which partitions are held.
func (s *Scheduler) lapsed() bool { return s.cfg.Ordered && s.lease.over(s.now) }
