package hub

import (
	"context"
	"errors"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/retry"
)

// keptEvery is the time between two looks at the streams that all services
// share.
const keptEvery = watchEvery

// kept are the streams that all services share.
func (h *Hub) kept() []*hubstream.Kept {
	return append(append(h.ingest.Kept(), h.deadLetters.Kept()...), h.rosters.Kept())
}

// watchKept looks at the streams that all services share, and has deleted ones
// created again.
func (h *Hub) watchKept(ctx context.Context) error {
	for {
		for _, k := range h.kept() {
			looking, cancel := context.WithTimeout(ctx, 2*hubstream.DeletionTime)
			_, err := k.Look(looking)
			cancel()
			h.foundKept(k.Name(), err)
		}
		if err := retry.Sleep(ctx, keptEvery); err != nil {
			return nil
		}
	}
}

// foundKept raises an alarm for a stream with one of the hub's names that is not the
// hub's, and clears the alarm when the stream is gone.
func (h *Hub) foundKept(name string, err error) {
	about := alarm.About{Kind: alarm.ForeignShared, Name: name}
	foreign, ok := errors.AsType[*hubstream.ForeignError](err)
	switch {
	case ok:
		h.alarms.Raise(about, foreign.Error())
	case err == nil:
		h.alarms.Clear(about)
	default:
		h.log.Debug("look at a stream", "stream", name, "err", err) // the next look tells
	}
}
