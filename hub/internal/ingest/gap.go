package ingest

import (
	"context"
	"fmt"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
)

// GapError means that a reader was given an event that does not follow the event before:
// the server moved a start to the first sequence that it holds, began with an older copy
// of the stream, or passed over events that it has lost (FindGap tells).
type GapError struct {
	// After is the event before the gap.
	After Mark
	// Got is the sequence of the event that came.
	Got uint64
}

func (e *GapError) Error() string {
	return fmt.Sprintf("%v: %d follows %s", errGap, e.Got, e.After.Position)
}

func (*GapError) Unwrap() error { return errGap }

// Gap is a place in ingest where the server has lost events.
type Gap struct {
	// After is the mark before the lost events, Next the mark from which a reader gets the
	// first event behind them.
	After, Next Mark
	// Leader and Replicas are those of the stream.
	Leader   string
	Replicas int
}

// FindGap reports whether the server has lost the events behind a mark.
func (g *Ingest) FindGap(ctx context.Context, after Mark) (gap Gap, is bool, err error) {
	gap.After = after
	err = g.perform(ctx, g.ledger.Load().Gap(after, func(next Mark, found bool) retention.Step {
		gap.Next, is = next, found
		return retention.Done{}
	}), nil)
	if err != nil || !is {
		return Gap{}, false, err
	}
	s, err := g.stream(ctx)
	if err != nil {
		return Gap{}, false, err
	}
	info := s.CachedInfo()
	gap.Replicas = info.Config.Replicas
	if info.Cluster != nil {
		gap.Leader = info.Cluster.Leader
	}
	return gap, true, nil
}

// Err is what the gap means for a reader that needs the events. Where the stream has other
// replicas, another leader may hold the events; else they are gone (ErrTrimmed).
func (gap Gap) Err() error {
	lost := fmt.Sprintf("events %d to %d", gap.After.Seq+1, gap.Next.Seq)
	if gap.Replicas > 1 {
		return fmt.Errorf("server %s has lost %s of ingest, as a damaged disk does: move the stream's leader (nats stream cluster step-down DB)", gap.Leader, lost)
	}
	return fmt.Errorf("%w: the server has lost %s, as a damaged disk does", ErrTrimmed, lost)
}
