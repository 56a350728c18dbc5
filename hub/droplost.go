package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// dropLost gives up a lane whose stream nobody can read any more: the servers that
// held it are gone, or somebody deleted it. Such a lane keeps ingest from being
// trimmed, or its records keep an alarm up, until an operator says that it is lost.
func (h *Hub) dropLost(ctx context.Context, service subjects.Name) (any, error) {
	looking, cancel := context.WithTimeout(ctx, standTime)
	_, err := lane.ReadTip(looking, h.js, service)
	cancel()
	paths := h.recordPaths(service)
	_, foreign := errors.AsType[*hubstream.ForeignError](err)
	switch {
	case err == nil:
		return nil, contract.FieldErrorf(contract.CodeInUse, "lost", "lane %s can be read, so it is not lost; unregister %s and drop it without \"lost\"", service, service)
	case foreign:
		return nil, err
	case errors.Is(err, lane.ErrNoLane) && len(paths) == 0:
		return nil, err
	}
	h.log.Error("giving up a lane that is lost", "service", service.String(), "err", err)
	h.dropped.addRecords(h.cfg.Registry.Snapshot(), paths)
	if err := h.deleteLost(ctx, service); err != nil {
		return nil, err
	}
	h.leaveRecord(service)
	h.removeRecords(ctx, paths)
	if l := h.lanes.get(service); l != nil {
		if err := h.lanes.ended(ctx, l); err != nil {
			h.log.Debug("end a lost lane", "err", err) // the hub is stopping
		}
	}
	h.announce(service)
	return contract.Dropped{Service: service.String(), Stream: subjects.LaneStream(service)}, nil
}

// deleteLost deletes a stream that may have no leader: nobody answers for it then,
// and the meta layer's word that it is gone is what counts.
func (h *Hub) deleteLost(ctx context.Context, service subjects.Name) error {
	for {
		deleting, cancel := context.WithTimeout(ctx, deleteTime)
		deleted := h.deleteLane(deleting, service)
		cancel()
		if deleted == nil {
			return nil
		}
		looking, cancel := context.WithTimeout(ctx, deleteTime)
		_, err := h.js.Stream(looking, subjects.LaneStream(service))
		cancel()
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", deleted, ctx.Err())
		}
	}
}

// recordPaths are the places of all records of a service that the registry has.
func (h *Hub) recordPaths(service subjects.Name) []string {
	snapshot := h.cfg.Registry.Snapshot()
	if snapshot == nil {
		return nil
	}
	var paths []string
	for path := range snapshot.Entries {
		if _, of, ok := parseInterestPath(path); ok && of == service || path == servicePath(service) {
			paths = append(paths, path)
		}
	}
	return paths
}
