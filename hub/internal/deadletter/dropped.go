package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// dropped reports whether the lane that was created at a time has its last record, or is
// gone. It is called after a letter was stored: a drop appends that record and then removes
// the service's letters, so a letter that was stored after the removal finds the record.
func (c *capture) dropped(ctx context.Context, service subjects.Name, created time.Time) (bool, error) {
	tip, err := lane.ReadTip(ctx, c.js, service)
	switch {
	case errors.Is(err, lane.ErrNoLane):
		return true, nil
	case errors.Is(err, lane.ErrStateLost), errors.Is(err, lane.ErrNewer):
		return false, nil // of no drop that this hub knows of
	case err != nil:
		return false, err
	case tip.State.Dropped:
		return true, nil
	}
	stream, err := c.js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up lane %s: %w", service, err)
	}
	return !stream.CachedInfo().Created.Equal(created), nil
}

// erasedMeanwhile reports whether a copy was deleted by itself. It is called after the
// copy's letter was stored: an erasure deletes the copies before it looks at the letters
// for the last time, so a letter that was stored after that look finds its copy gone. A
// copy below the first message that the lane holds may have been trimmed, and then its
// letter stays.
func erasedMeanwhile(ctx context.Context, stream jetstream.Stream, seq uint64) (bool, error) {
	_, err := stream.GetMsg(ctx, seq)
	switch {
	case err == nil, errors.Is(err, jetstream.ErrStreamNotFound):
		return false, nil
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return false, fmt.Errorf("read the copy of a dead letter at %d: %w", seq, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("look up the lane of a dead letter: %w", err)
	}
	return info.State.FirstSeq <= seq && seq <= info.State.LastSeq, nil
}
