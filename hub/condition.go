package hub

import (
	"sync/atomic"

	"github.com/replhub/replhub/internal/contract"
)

// condition is the state of the hub's own work, as its watches last found it. It may
// be used concurrently.
type condition struct {
	// dispatching is false while ingest cannot be reached.
	dispatching atomic.Bool
	// disk is why nats-server cannot store, full describes an ingest that is nearly
	// full; each is nil without trouble.
	disk atomic.Pointer[string]
	full atomic.Pointer[contract.IngestFull]
	// account describes the account's limits that are nearly reached; nil before the first
	// look.
	account atomic.Pointer[[]string]
	// layout describes the streams that could not be given their replicas; nil before the
	// first look.
	layout atomic.Pointer[[]string]
	// http describes the trouble with the files of the HTTP server; nil without trouble.
	http atomic.Pointer[string]
	// untrimmed are the lanes that keep ingest from being trimmed.
	untrimmed *untrimmed
}

// Dispatching reports whether ingest can be reached.
func (c *condition) Dispatching() bool { return c.dispatching.Load() }

// Disk describes the trouble with the server's disk, as far as ingest has shown it;
// empty without trouble.
func (c *condition) Disk() string {
	if text := c.disk.Load(); text != nil {
		return *text
	}
	return ""
}

// HTTP describes the trouble with the files of the HTTP server; empty without trouble.
func (c *condition) HTTP() string {
	if text := c.http.Load(); text != nil {
		return *text
	}
	return ""
}

// IngestFull is nil while ingest is not nearly full.
func (c *condition) IngestFull() *contract.IngestFull { return c.full.Load() }

// Untrimmed says why ingest is not trimmed, with one text for each lane that cannot
// be read or written.
func (c *condition) Untrimmed() []string { return c.untrimmed.degraded() }

// Account describes the account's limits that are nearly reached.
func (c *condition) Account() []string {
	if texts := c.account.Load(); texts != nil {
		return *texts
	}
	return nil
}

// Layout describes the streams that do not have their replicas and their place yet.
func (c *condition) Layout() []string {
	if texts := c.layout.Load(); texts != nil {
		return *texts
	}
	return nil
}
