package queue

import "time"

// lease is how long this instance may rely on its partitions. Each answer of a hub
// renews the lease, counted from the time of the request. If the server knows no hub,
// that renews the lease too, because only a hub could give the partitions to another
// instance. A request that merely gets no answer renews nothing. A process that stood
// still finds its lease expired.
type lease struct {
	from time.Time
	ttl  time.Duration
	// silent says that a request got no answer, and that the lease may have run out
	// before all hubs had gone. A hub may then have given a partition to an instance
	// that waits for the pin, so the pin proves nothing.
	silent bool
}

// leaseTTL holds until a hub has said how long a lease is.
const leaseTTL = 3 * time.Second

// over reports whether the time is over, by the monotonic clock or by the wall clock:
// while a machine is suspended, only the wall clock advances.
func (l *lease) over(now time.Time) bool {
	return now.Sub(l.from) > l.ttl || now.Round(0).Sub(l.from.Round(0)) > l.ttl
}

func (l *lease) renew(from time.Time) {
	if from.After(l.from) {
		l.from = from
	}
}

// Silence is why a request for partitions got no answer.
type Silence uint8

// Silences.
const (
	// NoAnswer means that no hub is known to be away. A hub that is slow, frozen or cut
	// off took the request, or a hub refused it. Meanwhile another hub may hear the other
	// instances, and give them the partitions of this one.
	NoAnswer Silence = iota
	// NoHub means that the server knows no hub, and can be reached itself.
	NoHub
)
