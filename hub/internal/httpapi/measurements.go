package httpapi

import (
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/report"
)

// measureEvery is the least time between two rounds of requests to the server,
// however often clients scrape.
const measureEvery = 5 * time.Second

// measurements keep the latest round. Concurrent scrapes share one.
type measurements struct {
	mu     sync.Mutex // guards the rest; held during a round
	at     time.Time
	latest *report.Measurement
}

// get returns the latest round, at most measureEvery old; nil when ingest cannot be
// reached.
func (m *measurements) get(r *report.Reporter) *report.Measurement {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && time.Since(m.at) < measureEvery {
		return m.latest
	}
	if !r.Dispatching() {
		return nil // asked again at the next scrape
	}
	m.latest = r.Measure()
	m.at = time.Now()
	return m.latest
}
