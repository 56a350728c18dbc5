package hub

import (
	"context"
	"time"
)

// watchEvery is how often the hub looks whether ingest can be reached.
const watchEvery = 2 * time.Second

// watchIngest keeps readiness up to date, and has a deleted ingest stream made
// again at once: without it publishers find no responders.
func (h *Hub) watchIngest(ctx context.Context) error {
	every := min(watchEvery, h.cfg.TrimEvery)
	disk := diskWatch{hub: h}
	full := newFullWatch(h)
	for {
		looking, cancel := context.WithTimeout(ctx, watchEvery)
		_, b, err := h.ingest.End(looking)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			h.ingest.Rate(b)
			disk.look(ctx, b)
			full.look(ctx, b)
			if h.nearlyFull(b) {
				h.press()
			}
		}
		h.dispatching.Store(err == nil)
		h.troubles.reachIngest.Met(err)
		if err := sleep(ctx, every); err != nil {
			return nil
		}
	}
}
