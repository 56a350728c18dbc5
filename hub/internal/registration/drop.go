package registration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// dropLook is the time between two looks at a lane that is dropped.
const dropLook = 50 * time.Millisecond

// Drop answers replhub.drop: it deletes a lane that has no interests. It first
// appends a last record: deleting a stream does not check its content, but an append
// does. So a concurrent registration by another hub either comes before that record,
// and the lane is not dropped, or finds the record, and creates the lane again.
func (r *Registrar) Drop(ctx context.Context, service subjects.Name) (any, error) {
	l, err := r.cfg.Lanes.Existing(ctx, service)
	if err != nil {
		return nil, err
	}
	state, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		s := tip.State.Clone()
		if n := len(s.Interests); n > 0 && s.Detached == nil {
			return s, false, contract.Errorf(contract.CodeInUse, "%s has %d interests; unregister them first", service, n)
		}
		known := s.Dropped // by a request that did not finish
		s.Dropped = true
		return s, !known, nil
	})
	if err != nil {
		return nil, err
	}
	r.cfg.Failpoint("dropped")
	r.cfg.Book.Dropped(state)
	if err := r.DeleteLane(ctx, service); err != nil {
		return nil, err
	}
	r.EndRecords(ctx, service, r.cfg.Book.Paths(service))
	if err := r.cfg.Lanes.Ended(ctx, l); err != nil {
		r.cfg.Logger.Debug("end a dropped lane", "err", err) // the hub is stopping
	}
	r.cfg.Lanes.Deleted(service)
	r.cfg.Lanes.Announce(service)
	return contract.Dropped{Service: service.String(), Stream: subjects.LaneStream(service)}, nil
}

// DeleteLane deletes a lane that has its last record. It first deletes everything
// else that is kept under the service's name: while the stream exists, a hub that
// finishes the drop runs this function, and no later service of that name can exist.
func (r *Registrar) DeleteLane(ctx context.Context, service subjects.Name) error {
	if err := r.cfg.DeadLetters.Purge(ctx, service); err != nil {
		return err
	}
	if err := r.cfg.Rosters.Purge(ctx, service); err != nil {
		return err
	}
	r.cfg.Failpoint("purged dead letters")
	err := r.cfg.JS.DeleteStream(ctx, subjects.LaneStream(service))
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("delete lane %s: %w", service, err)
	}
	return nil
}

// awaitDrop waits until a lane that has its last record is gone, and deletes it if
// the hub that wrote the record does not.
func (r *Registrar) awaitDrop(ctx context.Context, service subjects.Name) error {
	ticker := time.NewTicker(dropLook)
	defer ticker.Stop()
	for {
		tip, err := lane.ReadTip(ctx, r.cfg.JS, service)
		switch {
		case errors.Is(err, lane.ErrNoLane):
			return nil
		case err != nil:
			return err
		case !tip.State.Dropped:
			return nil // created again
		case r.leftover(ctx, service, tip.State):
			r.cfg.Logger.Warn("deleting a lane again, because the server kept its messages", "service", service.String())
			return r.DeleteLane(ctx, service)
		case r.abandoned(ctx, tip.State):
			r.cfg.Logger.Warn("finishing the drop of a lane that another hub has begun", "service", service.String(), "hub", tip.State.Hub)
			r.cfg.Book.Dropped(tip.State)
			return r.DeleteLane(ctx, service)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// leftover reports whether a lane's last record is from before its stream was created. If
// a stream of the name is deleted while the server still removes the folder of the one
// before, the server keeps the files, and the next stream begins with them (nats-server
// 2.15.2, filestore.go, Delete).
func (r *Registrar) leftover(ctx context.Context, service subjects.Name, s lane.State) bool {
	stream, err := r.cfg.Lanes.Stream(ctx, service)
	return err == nil && s.Written.Before(stream.CachedInfo().Created)
}

// abandoned reports whether the hub that wrote a lane's last record will not delete
// its stream any more.
func (r *Registrar) abandoned(ctx context.Context, s lane.State) bool {
	return r.cfg.Hubs.GivenUp(ctx, s.Hub, s.Written, r.cfg.Started, r.cfg.Ingest.Now())
}

// EndRecords deletes the records of a dropped service from the registry, if the
// registry can be reached.
func (r *Registrar) EndRecords(ctx context.Context, service subjects.Name, paths []string) {
	r.cfg.Book.Leave(service)
	r.cfg.Book.Remove(ctx, paths)
}
