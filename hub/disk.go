package hub

import (
	"context"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
)

// diskEvery is the time between looks into ingest while it does not grow. A server
// whose disk was full does not answer publishers, and the hub sees no events: this
// looks like publishers without events.
const diskEvery = 10 * time.Second

// diskWatch looks for a write error of the server in ingest. A lane finds a write
// error of its own stream by itself.
type diskWatch struct {
	hub   *Hub
	last  uint64
	asked time.Time
	told  *episode.Log
}

// look asks the server when ingest has not grown since the last look.
func (d *diskWatch) look(ctx context.Context, b ingest.Bounds) {
	if d.told == nil {
		d.told = episode.NewLog(d.hub.log, "store events", 0)
	}
	grown := b.Last != d.last
	d.last = b.Last
	if every := min(diskEvery, 5*d.hub.cfg.TrimEvery); !grown && time.Since(d.asked) < every {
		return
	}
	var err error
	if !grown {
		d.asked = time.Now()
		asking, cancel := context.WithTimeout(ctx, watchEvery)
		err = hubstream.WriteError(asking, d.hub.js, contract.StreamIngest)
		cancel()
	}
	d.told.Met(err)
	if err == nil {
		d.hub.condition.disk.Store(nil)
		return
	}
	text := err.Error()
	d.hub.condition.disk.Store(&text)
}
