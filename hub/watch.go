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
	for {
		looking, cancel := context.WithTimeout(ctx, watchEvery)
		_, b, err := h.ingest.End(looking)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			h.ingest.Rate(b)
			if h.nearlyFull(b) {
				h.press()
			}
		}
		if was := h.dispatching.Swap(err == nil); was != (err == nil) {
			h.log.Warn("ingest", "reachable", err == nil, "err", err)
		}
		if err := sleep(ctx, watchEvery); err != nil {
			return nil
		}
	}
}
