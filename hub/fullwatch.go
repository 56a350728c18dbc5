package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
)

const (
	// fullEvery is the least time between searches for what keeps a full ingest from
	// being trimmed: each search reads every lane.
	fullEvery = 10 * time.Second
	// fullSettle is how long ingest must have room before the trouble counts as over:
	// a trim may free only as much as publishers fill again in a moment.
	fullSettle = 5 * time.Second
)

// fullWatch finds out, while ingest is nearly full, what keeps it from being trimmed.
// It only reports; trimIngest decides.
type fullWatch struct {
	hub     *Hub
	episode episode.Episode
	looked  time.Time
	// pinner is the service whose lane was lowest, with its position and the time
	// since when.
	pinner string
	at     uint64
	since  time.Time
}

func newFullWatch(h *Hub) *fullWatch {
	return &fullWatch{hub: h, episode: episode.Episode{Settle: min(fullSettle, 5*h.cfg.TrimEvery)}}
}

// look takes the present bounds of ingest.
func (f *fullWatch) look(ctx context.Context, b ingest.Bounds) {
	h, now := f.hub, f.hub.now()
	if !h.nearlyFull(b) {
		if news, lasted, _ := f.episode.Succeed(now); news == episode.Over {
			h.log.Info("ingest has room again", "nearly_full_for", lasted.Round(time.Millisecond).String())
			h.condition.full.Store(nil)
			f.pinner = ""
		}
		return
	}
	if f.episode.Open() && now.Sub(f.looked) < min(fullEvery, 5*h.cfg.TrimEvery) {
		return
	}
	looking, cancel := context.WithTimeout(ctx, laneTime)
	full := f.find(looking, b, now)
	cancel()
	f.looked = h.now()
	news := f.episode.Fail(now, full.By+" "+full.Service)
	full.Since = f.episode.Since()
	full.Message = fullMessage(full, b, h.cfg)
	if news != episode.Nothing {
		h.log.Warn("ingest is nearly full", "by", full.By, "service", full.Service, "message", full.Message)
	}
	h.condition.full.Store(&full)
}

// pinning is the result of one look at a full ingest.
type pinning struct {
	// err says why a lane's position cannot be read; nil otherwise.
	err error
	// lane is the service of the lowest lane, empty when no lane is below the end;
	// lowest is the sequence that it needs.
	lane   string
	lowest uint64
	// pin is the lowest sequence that a registration pins, if pinned is set.
	pin    uint64
	pinned bool
	// old is the first sequence that is too young to be trimmed, last the end of
	// ingest.
	old, first, last uint64
}

// by decides what keeps the oldest events.
func (p pinning) by() string {
	limit := min(p.old, p.last)
	switch {
	case p.err != nil:
		return contract.FullByUnknown
	case limit <= p.first:
		return contract.FullByYoung
	case p.pinned && p.pin < limit && p.pin <= p.lowest:
		return contract.FullByRegistration
	case p.lane != "" && p.lowest < limit:
		return contract.FullByLane
	case limit < p.first+(p.last-p.first)/2:
		return contract.FullByYoung // only the smaller part may be trimmed
	default:
		return contract.FullByNothing
	}
}

func (f *fullWatch) find(ctx context.Context, b ingest.Bounds, now time.Time) contract.IngestFull {
	p := pinning{first: b.First, last: b.Last}
	need, err := needs{f.hub}.Need(ctx)
	p.lowest, p.err = need.Seq, err
	for service, unknown := range need.Unknown {
		p.err = fmt.Errorf("lane %s: %w", service, unknown)
	}
	if p.err == nil {
		p.pin, p.pinned, p.err = f.hub.ingest.LowestPin(ctx)
	}
	if p.err == nil {
		p.old, p.err = f.hub.ingest.SeqAt(ctx, now.Add(-f.hub.cfg.TrimGuard))
	}
	if need.Pinned {
		p.lane = need.Pinner.String()
	}
	full := contract.IngestFull{By: p.by()}
	switch full.By {
	case contract.FullByLane:
		if f.pinner != p.lane || f.at != p.lowest {
			f.pinner, f.at, f.since = p.lane, p.lowest, now
		}
		since := f.since
		full.Service, full.Pinned = p.lane, &since
	case contract.FullByUnknown:
		full.Message = p.err.Error()
	}
	return full
}

// fullMessage describes a full ingest, and says what to do. The parts that do not
// change within an episode come first.
func fullMessage(full contract.IngestFull, b ingest.Bounds, cfg Config) string {
	text := fmt.Sprintf("ingest is nearly full since %s (%d of %d bytes, publishers are refused at the limit): ",
		full.Since.UTC().Format(time.RFC3339), b.Bytes, cfg.IngestMaxBytes)
	switch full.By {
	case contract.FullByLane:
		text += fmt.Sprintf("the lane of %s has not got on since %s; have it catch up (replhub describe %s), unregister it, or raise REPLHUB_INGEST_MAX_BYTES",
			full.Service, full.Pinned.UTC().Format(time.RFC3339), full.Service)
		if cfg.OnFull == OnFullDetach {
			return text + "; it is detached if it does not get on (REPLHUB_ON_FULL=detach)"
		}
		return text + "; nothing is dropped meanwhile (REPLHUB_ON_FULL=refuse)"
	case contract.FullByYoung:
		return text + fmt.Sprintf("its events are younger than the %s for which none is trimmed; raise REPLHUB_INGEST_MAX_BYTES, or publish less", cfg.TrimGuard)
	case contract.FullByRegistration:
		return text + "a registration pins them: it is over within minutes, or degraded names a lane that cannot be written"
	case contract.FullByUnknown:
		return text + "nothing is trimmed while it is not known what every lane needs: " + full.Message
	default:
		return text + "the next trim makes room"
	}
}
