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
	// fullEvery is how often at most it is asked what keeps a full ingest from
	// being trimmed: every lane is read for that.
	fullEvery = 10 * time.Second
	// fullSettle is for how long ingest must have room for it to be over: a trim
	// frees as much as is published in a moment, and not for long.
	fullSettle = 5 * time.Second
)

// fullWatch finds out, while ingest is nearly full, what keeps it from being
// trimmed. It decides nothing; that is trimIngest's.
type fullWatch struct {
	hub     *Hub
	episode episode.Episode
	looked  time.Time
	// pinner is the service whose lane was lowest, at its position and since when.
	pinner string
	at     uint64
	since  time.Time
}

func newFullWatch(h *Hub) *fullWatch {
	return &fullWatch{hub: h, episode: episode.Episode{Settle: min(fullSettle, 5*h.cfg.TrimEvery)}}
}

// look takes what ingest holds now.
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

// pinning is what one look at a full ingest found.
type pinning struct {
	// err: where a lane stands cannot be read.
	err error
	// lane is the lowest lane's service, empty when none is below the end; lowest
	// the sequence that it needs.
	lane   string
	lowest uint64
	// pin is the lowest sequence that a registration pins, when pinned.
	pin    uint64
	pinned bool
	// old is the first sequence that is too young to go, last the end of ingest.
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
		return contract.FullByYoung // what may go is the smaller part
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

// fullMessage says what is known of a full ingest, and what to do. What does not
// change within an episode comes first.
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
		return text + "a registration under way starts there; it is over within minutes"
	case contract.FullByUnknown:
		return text + "nothing is trimmed while it is not known what every lane needs: " + full.Message
	default:
		return text + "the next trim makes room"
	}
}
