package replhub

import (
	"math/rand/v2"
	"time"
)

// maxProbePause bounds the time between two probes, so that a subscriber resumes soon
// after an outage ends.
const maxProbePause = 3 * time.Second

// backoff is the wait before the attempt that follows a number of failed ones.
func (s SubscriberConfig) backoff(attempts int) time.Duration {
	d := s.MaxBackoff
	if shift := attempts - 1; shift < 32 && s.MinBackoff<<shift < d {
		d = s.MinBackoff << shift
	}
	return d - rand.N(d/2+1)
}

// probePause is the time until the next probe, after a number of failed ones.
func (s SubscriberConfig) probePause(probes int) time.Duration {
	return min(s.backoff(probes), maxProbePause)
}
