package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/subjects"
)

// keptEvery is the time between two looks at the streams that all services
// share.
const keptEvery = watchEvery

// kept are the streams that all services share.
func (h *Hub) kept() []*hubstream.Kept {
	return append(append(h.ingest.Kept(), h.letters.Kept()...), h.rosters.Kept())
}

// watchKept looks at the streams that all services share, and has those created
// again that somebody deleted.
func (h *Hub) watchKept(ctx context.Context) error {
	for {
		for _, k := range h.kept() {
			looking, cancel := context.WithTimeout(ctx, 2*hubstream.DeletionTime)
			_, err := k.Look(looking)
			cancel()
			h.foundKept(k.Name(), err)
		}
		if err := sleep(ctx, keptEvery); err != nil {
			return nil
		}
	}
}

// foundKept raises an alarm for a stream that somebody else made under a name of
// the hub's, and clears it when that is over.
func (h *Hub) foundKept(name string, err error) {
	about := "stream " + name + " is foreign"
	foreign, ok := errors.AsType[*hubstream.ForeignError](err)
	switch {
	case ok:
		h.alarms.raise(h.log, about, foreign.Error())
	case err == nil:
		h.alarms.clear(about)
	default:
		h.log.Debug("look at a stream", "stream", name, "err", err) // the next look tells
	}
}

// reportDeleted raises an alarm that stays: somebody should find out who deletes
// streams.
func (h *Hub) reportDeleted(stream, text string) {
	h.alarms.raise(h.log, "stream "+stream+" deleted", text)
}

// missingStreams are the shared streams that are not there now, in words.
func (h *Hub) missingStreams() []string {
	var reasons []string
	for _, k := range h.kept() {
		if k.Missing() {
			reasons = append(reasons, fmt.Sprintf("stream %s is gone: somebody deleted it; it is created again within seconds", k.Name()))
		}
	}
	return reasons
}

// describeLetters counts a service's dead letters. That they cannot be counted
// now is no reason to withhold the rest.
func (h *Hub) describeLetters(ctx context.Context, status *laneReport, service subjects.Name) {
	var err error
	if status.DeadLetters, err = h.letters.Count(ctx, service); err != nil {
		h.log.Debug("count dead letters", "service", service.String(), "err", err)
		status.DeadLettersUnknown = true
	}
}
