package hub

import (
	"context"
	"time"

	"github.com/replhub/replhub/hub/internal/retry"
)

// watchEvery is the time between checks whether ingest can be reached.
const watchEvery = 2 * time.Second

// watchIngest keeps readiness up to date, and has a deleted ingest stream created
// again at once, because without the stream publishers find no responders.
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
		h.condition.dispatching.Store(err == nil)
		h.troubles.reachIngest.Met(err)
		if err := retry.Sleep(ctx, every); err != nil {
			return nil
		}
	}
}
