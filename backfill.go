package replhub

import (
	"context"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Backfill is a backfill that is in force: it copies an owner's rows to the service
// again.
type Backfill struct {
	Entity string
	// Filter is the CEL filter that rows must pass in addition to the interest's own
	// filter.
	Filter string
	// ID names the backfill. Its rows have ids that no other backfill's rows have.
	ID string
	// Position is that of the last event in ingest when the backfill was requested.
	// The rows have this position or a later one.
	Position Position
	// Began is when the backfill was requested.
	Began time.Time
	// UnderWay says that the backfill was already running before this request, and
	// Rows how many rows it had processed by then.
	UnderWay bool
	Rows     uint64
	// Warnings are about the filter, as in Registered.
	Warnings []string
}

// Backfill copies the rows of an entity's owner to this service again. The service
// must be registered for the entity. filter is CEL as in Interest.Filter and selects
// the rows; an empty filter selects all rows. A backfill repairs a replica that has a
// new column, whose interest has wider fields, or that has lost rows. The interest
// does not change: its own filter and fields apply, and live events go on. A backfill
// does not delete rows from the replica that the owner no longer has.
//
// Backfill returns once the backfill is in force. The rows come as Deliveries with a
// Row, and Describe reports the progress. A second request while the backfill is
// under way returns the same backfill. A request with another filter meanwhile is
// refused: the error is a *RefusedError of CodeBusy. Where the owner serves no rows
// (see ServeSnapshot), the error is a *RefusedError of CodeUnavailable. Unregister
// ends a backfill together with its interest.
func (c *Client) Backfill(ctx context.Context, entity, filter string) (Backfill, error) {
	return c.backfill(ctx, contract.Backfill{Entity: entity, Filter: filter})
}

func (c *Client) backfill(ctx context.Context, request contract.Backfill) (Backfill, error) {
	var reply contract.Backfilling
	if err := c.ask(ctx, contract.VerbBackfill, request, &reply); err != nil {
		return Backfill{}, err
	}
	return Backfill{
		Entity: reply.Entity, Filter: reply.Filter, ID: reply.ID, Position: Position{Epoch: reply.Epoch, Seq: reply.Seq},
		Began: reply.Began, UnderWay: reply.UnderWay, Rows: reply.Rows, Warnings: reply.Warnings,
	}, nil
}

// BackfillKeys copies the rows of some keys to this service again, at most 1000. A key of
// which the service gets no row, because the owner has none or the interest's filter leaves
// it out, comes as a Delivery of a Delete with a Row, unless the interest has no deletes.
// Afterwards a replica that keeps the greater position has of these keys what the service
// gets. Such a delete never wins over a row that the owner makes of the key later. Apart
// from that, it is as Backfill.
func (c *Client) BackfillKeys(ctx context.Context, entity string, keys []string) (Backfill, error) {
	return c.backfill(ctx, contract.Backfill{Entity: entity, Keys: keys})
}

// Fill is older data on its way to this service beside its live events.
type Fill struct {
	Entities []string
	// ID is that of a snapshot or backfill; empty where published events are copied.
	ID string
	// Filter is that of a backfill; empty otherwise.
	Filter string
	// Rows is how many of the owner's rows the hub has processed, of about Total. Total is 0
	// where the owner does not say how many it has (see Rows.Count).
	Rows, Total uint64
	// Began is when the rows were requested; zero for events.
	Began time.Time
	// Waits is the reason why no rows come; empty while they come.
	Waits string
}

// Filled is a snapshot or backfill all of whose rows are on their way to the
// workers.
type Filled struct {
	ID     string
	Entity string
	// Rows is how many rows the owner had, including those that a filter left out.
	Rows         uint64
	Began, Ended time.Time
}

// fillsOf returns the fills of a lane's status.
func fillsOf(s *contract.LaneStatus) (under []Fill, ended []Filled) {
	all := s.OtherFills
	if s.Fill != nil {
		all = append([]contract.FillStatus{*s.Fill}, all...)
	}
	for i := range all {
		f := &all[i]
		fill := Fill{Entities: f.Entities, ID: f.ID, Filter: f.Filter, Rows: f.Rows, Total: f.Total, Waits: f.Stalled}
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
