package hub

import (
	"context"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// describeHolders adds to a lane's status which instance holds which partition.
func (j *joins) describeHolders(ctx context.Context, service subjects.Name, status *contract.LaneStatus) error {
	if lane.Partitions(status.Queue) == 0 {
		return nil
	}
	r, err := j.present(ctx, service)
	if err != nil {
		return err
	}
	names := lane.Consumers(status.Queue)
	for i := range status.Workers {
		w := &status.Workers[i]
		// The roster may be of another number of partitions until the next join.
		p := slices.Index(names, w.Consumer)
		if p < 0 || p >= len(r.Holders) {
			continue
		}
		w.Holder = r.Holders[p]
		if r.Targets[p] != w.Holder {
			w.Next = r.Targets[p]
		}
	}
	return nil
}

// present is a service's roster as it is now: without the members that this hub
// knows to be silent. It stores nothing: whoever joins next does.
func (j *joins) present(ctx context.Context, service subjects.Name) (*roster, error) {
	a := j.attendance(service)
	select {
	case <-a.turn:
		defer func() { a.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r, _, err := readRoster(ctx, j.hub.rosters, service)
	if err != nil {
		return nil, err
	}
	if r.By == j.hub.cfg.ID {
		now := time.Now()
		r.expire(func(id string) bool {
			seen, heard := a.seen[id]
			return heard && now.Sub(seen) > joinTTL
		})
	}
	return r, nil
}
