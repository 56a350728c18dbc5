package outbox

import (
	"sync"
	"time"
)

// The database does not notify the relay of a commit: NOTIFY would make commits wait
// for each other. So the relay polls, often while rows may be due and seldom
// otherwise.
const (
	// soonest is the least time between two looks that find nothing.
	soonest = time.Millisecond
	// patience is the part of the time since the last sign of traffic that passes
	// before the next look. A transaction that commits some time after its
	// Enqueue waits for at most half of that time.
	patience = 2
)

// pace says when to look again after a look that found nothing.
type pace struct {
	sign time.Time // the last sign of traffic
}

// traffic notes a sign of traffic: rows that were found, an Enqueue, or a Wake.
func (p *pace) traffic(now time.Time) { p.sign = now }

// wait is the time until the next look, longest at most.
func (p *pace) wait(now time.Time, longest time.Duration) time.Duration {
	return min(max(now.Sub(p.sign)/patience, soonest), longest)
}

// audience are the relays of this process that run on an outbox. Enqueue tells
// them that a commit may follow.
type audience struct {
	mu     sync.RWMutex // guards relays
	relays map[*Relay]struct{}
}

// join adds a relay, leave removes it.
func (a *audience) join(r *Relay) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.relays == nil {
		a.relays = map[*Relay]struct{}{}
	}
	a.relays[r] = struct{}{}
}

func (a *audience) leave(r *Relay) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.relays, r)
}

// expect tells the relays that rows were written that may be committed soon. It never
// blocks on a relay.
func (a *audience) expect() {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for r := range a.relays {
		select {
		case r.hint <- struct{}{}:
		default: // it has not noticed the last one yet
		}
	}
}
