package report

import (
	"context"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// describeHolders adds to a lane's status which instance holds which partition.
func (r *Reporter) describeHolders(ctx context.Context, service subjects.Name, status *contract.LaneStatus) error {
	if lane.Partitions(status.Queue) == 0 {
		return nil
	}
	roster, err := r.cfg.Rosters.Present(ctx, service)
	if err != nil {
		return err
	}
	names := lane.Consumers(status.Queue)
	for i := range status.Workers {
		w := &status.Workers[i]
		w.Holder, w.Next = roster.Of(slices.Index(names, w.Consumer))
	}
	return nil
}
