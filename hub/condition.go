package hub

import (
	"sync/atomic"

	"github.com/replhub/replhub/internal/contract"
)

// condition is how the hub's own work goes, as its watches last found it. It may be
// used concurrently.
type condition struct {
	// dispatching is false while ingest cannot be reached.
	dispatching atomic.Bool
	// disk is why nats-server stores nothing, full what is known of an ingest that is
	// nearly full; nil without trouble.
	disk atomic.Pointer[string]
	full atomic.Pointer[contract.IngestFull]
	// unknown are the lanes that keep ingest from being trimmed.
	unknown *unknownLanes
}

// Dispatching reports whether ingest can be reached.
func (c *condition) Dispatching() bool { return c.dispatching.Load() }

// Disk is what is wrong with the server's disk in words, as far as ingest has shown;
// empty when nothing is.
func (c *condition) Disk() string {
	if text := c.disk.Load(); text != nil {
		return *text
	}
	return ""
}

// IngestFull is nil while ingest is not nearly full.
func (c *condition) IngestFull() *contract.IngestFull { return c.full.Load() }

// Untrimmed is why ingest is not trimmed, a text for each lane that cannot be read.
func (c *condition) Untrimmed() []string { return c.unknown.degraded() }
