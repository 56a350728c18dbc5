package replhub

import (
	"math/rand/v2"
	"time"
)

// backoff is the wait before the attempt that follows a number of failed ones.
func (s Subscription) backoff(attempts int) time.Duration {
	d := s.MaxBackoff
	if shift := attempts - 1; shift < 32 && s.MinBackoff<<shift < d {
		d = s.MinBackoff << shift
	}
	return d - rand.N(d/2+1)
}

// waiting are jobs by the time of their next attempt; a heap.
type waiting []*job

// Len implements heap.Interface.
func (w *waiting) Len() int { return len(*w) }

// Less implements heap.Interface.
func (w *waiting) Less(i, j int) bool { return (*w)[i].due.Before((*w)[j].due) }

// Swap implements heap.Interface.
func (w *waiting) Swap(i, j int) { (*w)[i], (*w)[j] = (*w)[j], (*w)[i] }

// Push implements heap.Interface.
func (w *waiting) Push(x any) {
	*w = append(*w, x.(*job)) //nolint:forcetypeassert // only jobs are pushed
}

// Pop implements heap.Interface.
func (w *waiting) Pop() any {
	old := *w
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	return j
}
