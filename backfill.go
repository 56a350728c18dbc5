package replhub

import (
	"context"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Backfill is a backfill that is in force: an owner's rows once more.
type Backfill struct {
	Entity string
	// Filter is what rows must pass beside the interest's own filter.
	Filter string
	// ID names the backfill; its rows come under other ids than those of any other.
	ID string
	// Position is the last event that there was when the backfill was asked for:
	// its rows have this position or a later one.
	Position Position
	// Began is when it was asked for.
	Began time.Time
	// UnderWay says that it had been asked for before, and Rows how many rows it
	// has dealt with.
	UnderWay bool
	Rows     uint64
	// Warnings are as in Registered, of the filter.
	Warnings []string
}

// Backfill has the rows that an entity's owner has copied once more to this
// service, which is registered for the entity: all of them, or those that filter,
// CEL as in Interest.Filter, matches; empty matches all. It repairs a replica: one
// that has got a new column, whose interest has got wider fields, or that has lost
// rows. The interest stays as it is, its own filter and fields hold, and live
// events go on. Rows that the owner has no more stay in the replica.
//
// It returns once the backfill is in force; the rows come as Deliveries with a
// Row, and Describe tells how far they are. Asking again for one that is under way
// gives that one. One with another filter meanwhile is a *RefusedError of CodeBusy; an
// owner that serves no rows (see ServeSnapshot) one of CodeUnavailable. Unregister
// ends a backfill together with its interest.
func (c *Client) Backfill(ctx context.Context, entity, filter string) (Backfill, error) {
	var reply contract.Backfilling
	if err := c.ask(ctx, contract.VerbBackfill, contract.Backfill{Entity: entity, Filter: filter}, &reply); err != nil {
		return Backfill{}, err
	}
	return Backfill{
		Entity: reply.Entity, Filter: reply.Filter, ID: reply.ID, Position: Position{Epoch: reply.Epoch, Seq: reply.Seq},
		Began: reply.Began, UnderWay: reply.UnderWay, Rows: reply.Rows, Warnings: reply.Warnings,
	}, nil
}

// Fill is older data on its way to this service beside its live events.
type Fill struct {
	Entities []string
	// ID is that of a snapshot or backfill; empty where published events are copied.
	ID string
	// Filter is a backfill's.
	Filter string
	// Rows is how many rows are dealt with, of those that the owner has.
	Rows uint64
	// Began is when the rows were asked for; zero for events.
	Began time.Time
	// Waits is why the rows do not come; empty when they do.
	Waits string
}

// Filled is a snapshot or backfill all of whose rows are on their way to the
// workers.
type Filled struct {
	ID     string
	Entity string
	// Rows is how many rows the owner had, those that a filter left out included.
	Rows         uint64
	Began, Ended time.Time
}

// fillsOf are the fills of a lane's status.
func fillsOf(s *contract.LaneStatus) (under []Fill, ended []Filled) {
	all := s.OtherFills
	if s.Fill != nil {
		all = append([]contract.FillStatus{*s.Fill}, all...)
	}
	for i := range all {
		f := &all[i]
		fill := Fill{Entities: f.Entities, ID: f.ID, Filter: f.Filter, Rows: f.Rows, Waits: f.Stalled}
		if f.Began != nil {
			fill.Began = *f.Began
		}
		under = append(under, fill)
	}
	for _, f := range s.Filled {
		ended = append(ended, Filled{ID: f.ID, Entity: f.Entity, Rows: f.Rows, Began: f.Began, Ended: f.Ended})
	}
	return under, ended
}
