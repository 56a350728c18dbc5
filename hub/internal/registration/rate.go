package registration

import (
	"maps"
	"sync"
	"time"

	"github.com/replhub/replhub/subjects"
)

// maxBuckets bounds the services whose rates are held apart. Those beyond share one.
const maxBuckets = 10_000

// rate bounds how often each service begins something: one service in a loop takes
// nothing from the others. The zero rate has no bound. It may be used concurrently.
type rate struct {
	// perSecond is the bound of a service, and how much may come at once.
	perSecond float64

	mu      sync.Mutex // guards the rest
	buckets map[subjects.Name]*bucket
}

// bucket is what a service has left at a time.
type bucket struct {
	left float64
	at   time.Time
}

func newRate(perSecond int) *rate {
	return &rate{perSecond: float64(perSecond), buckets: make(map[subjects.Name]*bucket)}
}

// take takes one for a service, unless its bound is reached at a time.
func (r *rate) take(service subjects.Name, now time.Time) bool {
	if r.perSecond <= 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.of(service, now)
	r.fill(b, now)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// of is a service's bucket. The full ones make room: they are as good as new.
func (r *rate) of(service subjects.Name, now time.Time) *bucket {
	if b := r.buckets[service]; b != nil {
		return b
	}
	if len(r.buckets) >= maxBuckets {
		maps.DeleteFunc(r.buckets, func(_ subjects.Name, b *bucket) bool {
			r.fill(b, now)
			return b.left >= r.perSecond
		})
	}
	if len(r.buckets) >= maxBuckets {
		service = subjects.Name{} // of no service: those beyond share it
	}
	if r.buckets[service] == nil {
		r.buckets[service] = &bucket{left: r.perSecond, at: now}
	}
	return r.buckets[service]
}

// fill adds what the time since the last look allows.
func (r *rate) fill(b *bucket, now time.Time) {
	if now.After(b.at) {
		b.left, b.at = min(r.perSecond, b.left+now.Sub(b.at).Seconds()*r.perSecond), now
	}
}
