package hub

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/retry"
)

const (
	// accountEvery is the time between two looks at the account's limits.
	accountEvery = 10 * time.Second
	// accountTime bounds one look.
	accountTime = 2 * time.Second
	// accountRatio is how much of a limit may be used before it is reported.
	accountRatio = 0.9
)

// watchAccount reports the account's limits before they refuse a registration or an
// event.
func (h *Hub) watchAccount(ctx context.Context) error {
	for {
		looking, cancel := context.WithTimeout(ctx, accountTime)
		info, err := h.js.AccountInfo(looking)
		cancel()
		if err == nil {
			texts := nearLimits(info, h.replicas)
			h.condition.account.Store(&texts)
		} else if ctx.Err() == nil {
			h.log.Debug("look at the account's limits", "err", err) // the next look tells
		}
		if err := retry.Sleep(ctx, min(accountEvery, h.cfg.TrimEvery)); err != nil {
			return nil
		}
	}
}

// nearLimits describes the account's limits that are nearly reached: those of the tier of
// the hub's streams, if the account has tiers.
func nearLimits(info *jetstream.AccountInfo, replicas int) []string {
	tier := info.Tier
	if own, ok := info.Tiers["R"+strconv.Itoa(replicas)]; ok {
		tier = own
	}
	var texts []string
	if limit := tier.Limits.MaxStreams; limit > 0 && tier.Streams >= limit {
		texts = append(texts, fmt.Sprintf("the account has %d of %d streams, and no further stream for a new service: raise max_streams of the account, or drop a service", tier.Streams, limit))
	}
	used := max(tier.Store, tier.ReservedStore)
	if limit := tier.Limits.MaxStore; limit > 0 && float64(used) >= accountRatio*float64(limit) {
		texts = append(texts, fmt.Sprintf("the account uses or reserves %d of %d bytes: raise max_file of the account, or lower the max_bytes of streams", used, limit))
	}
	return texts
}
