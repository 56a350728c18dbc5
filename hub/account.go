package hub

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
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
// event. It ends the hub when the account's JetStream has another domain.
func (h *Hub) watchAccount(ctx context.Context) error {
	for {
		looking, cancel := context.WithTimeout(ctx, accountTime)
		info, err := h.js.AccountInfo(looking)
		cancel()
		if err == nil {
			if err := h.sameDomain(info.Domain); err != nil {
				return err
			}
			texts := nearLimits(info, h.replicas, h.readersOfIngest(ctx))
			h.condition.account.Store(&texts)
		} else if ctx.Err() == nil {
			h.log.Debug("look at the account's limits", "err", err) // the next look tells
		}
		if err := retry.Sleep(ctx, min(accountEvery, h.cfg.TrimEvery)); err != nil {
			return nil
		}
	}
}

// sameDomain refuses a change of JetStream's domain: acknowledgements would have another
// domain than this hub's.
func (h *Hub) sameDomain(domain string) error {
	if domain == h.domain {
		return nil
	}
	return fmt.Errorf("JetStream has another domain (%q) than at this hub's start (%q): start the hub again", domain, h.domain)
}

// readersOfIngest is the number of ingest's consumers: each hub has one, and each lane
// that is further behind. It is 0 if ingest does not answer.
func (h *Hub) readersOfIngest(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, accountTime)
	defer cancel()
	s, err := h.js.Stream(ctx, contract.StreamIngest)
	if err != nil {
		return 0
	}
	return s.CachedInfo().State.Consumers
}

// nearLimits describes the account's limits that are nearly reached: those of the tier of
// the hub's streams, if the account has tiers. readers is the number of ingest's consumers,
// the only stream whose number of consumers grows by itself.
func nearLimits(info *jetstream.AccountInfo, replicas, readers int) []string {
	tier := info.Tier
	if own, ok := info.Tiers["R"+strconv.Itoa(replicas)]; ok {
		tier = own
	}
	var texts []string
	near := func(used, limit uint64) bool { return float64(used) >= accountRatio*float64(limit) }
	if limit := tier.Limits.MaxStreams; limit > 0 && near(uint64(tier.Streams), uint64(limit)) {
		room := "no further stream for a new service"
		if left := limit - tier.Streams; left > 0 {
			room = fmt.Sprintf("room for %d more services", left)
		}
		texts = append(texts, fmt.Sprintf("the account has %d of %d streams, and %s: raise max_streams of the account, or drop a service", tier.Streams, limit, room))
	}
	if limit := tier.Limits.MaxConsumers; limit > 0 && near(uint64(readers), uint64(limit)) {
		texts = append(texts, fmt.Sprintf("stream %s has %d of %d consumers, one for each hub and for each lane that is far behind: raise max_consumers of the account", contract.StreamIngest, readers, limit))
	}
	used := max(tier.Store, tier.ReservedStore)
	if limit := tier.Limits.MaxStore; limit > 0 && near(used, uint64(limit)) {
		texts = append(texts, fmt.Sprintf("the account uses or reserves %d of %d bytes: raise max_file of the account, or lower the max_bytes of streams", used, limit))
	}
	return texts
}
