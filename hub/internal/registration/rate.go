package registration

import (
	"sync"
	"time"
)

// rate bounds how often something is begun. The zero rate has no bound. It may be used
// concurrently.
type rate struct {
	// perSecond is the bound, and how much may come at once.
	perSecond float64

	mu   sync.Mutex // guards the rest
	left float64
	at   time.Time
}

func newRate(perSecond int) *rate {
	return &rate{perSecond: float64(perSecond), left: float64(perSecond)}
}

// take takes one, unless the bound is reached at a time.
func (r *rate) take(now time.Time) bool {
	if r.perSecond <= 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && now.After(r.at) {
		r.left = min(r.perSecond, r.left+now.Sub(r.at).Seconds()*r.perSecond)
	}
	if r.at.IsZero() || now.After(r.at) {
		r.at = now
	}
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}
