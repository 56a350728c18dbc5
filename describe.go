package replhub

import (
	"context"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// State is what a service's lane is doing.
type State string

// The states of a lane.
const (
	StateLive         State = "live"         // up to date with what is published
	StateBehind       State = "behind"       // catching up
	StateFilling      State = "filling"      // copying older events or rows to a new interest
	StateStalled      State = "stalled"      // the hub cannot write to the lane; see Reason
	StateDetached     State = "detached"     // cut off, with events missed: register with a Start
	StateIncompatible State = "incompatible" // written by a newer hub than the one that runs
)

// Status describes a service's lane.
type Status struct {
	State State
	// Reason explains, for people, why the lane is stalled, detached or incompatible.
	Reason string
	// Entities are those of the interests in force, and Interests their definitions, in
	// the same order. An interest's Start is not kept: it is zero.
	Entities  []string
	Interests []Interest
	// Queue is how the instances share the lane.
	Queue Queue
	// Position is that of the last event which the hub has processed for this service.
	// The newest event of ingest is Lag events behind it.
	Position Position
	// Lag counts the published events that the hub has not yet processed for this
	// service, and LagAge is the age of the oldest such event.
	Lag    uint64
	LagAge time.Duration
	// Backlog counts copies that no instance has acknowledged, and OldestUnacked
	// is the age of the oldest such copy.
	Backlog       uint64
	OldestUnacked time.Duration
	// DeadLetters counts the dead letters stored for this service.
	DeadLetters uint64
	// Fills are the copies of older events, the snapshots and the backfills under
	// way. Filled are the last few completed snapshots and backfills, oldest first.
	Fills  []Fill
	Filled []Filled
}

// Describe returns the status of the service's lane. For a service that never
// registered, the error is a *RefusedError of CodeNotFound.
func (c *Client) Describe(ctx context.Context) (Status, error) {
	var reply contract.LaneStatus
	if err := c.ask(ctx, contract.VerbDescribe, contract.Describe{}, &reply); err != nil {
		return Status{}, err
	}
	status := Status{
		State: State(reply.State), Reason: reply.Reason,
		Lag: reply.Lag, LagAge: seconds(reply.LagSeconds),
		Backlog: reply.Backlog, OldestUnacked: seconds(reply.OldestUnacked),
		DeadLetters: reply.DeadLetters,
		Position:    Position{Epoch: reply.Epoch, Seq: reply.Seq},
		Queue: Queue{
			Order: Order(reply.Queue.Order), Partitions: reply.Queue.Partitions,
			AckWait: time.Duration(reply.Queue.AckWait), MaxDeliver: reply.Queue.MaxDeliver,
		},
	}
	status.Fills, status.Filled = fillsOf(&reply)
	for {
		for i := range reply.Interests {
			status.Entities = append(status.Entities, reply.Interests[i].Entity)
			status.Interests = append(status.Interests, interestOf(&reply.Interests[i]))
		}
		after := reply.Next
		if after == "" {
			return status, nil
		}
		reply = contract.LaneStatus{} // the next page of interests
		if err := c.ask(ctx, contract.VerbDescribe, contract.Describe{After: after}, &reply); err != nil {
			return Status{}, err
		}
	}
}

// interestOf is an interest in force as a service would ask for it.
func interestOf(in *contract.InterestStatus) Interest {
	out := Interest{Entity: in.Entity, Filter: in.Filter, Fields: in.Fields, Echo: in.Echo}
	for _, op := range in.Ops {
		out.Ops = append(out.Ops, Op(op))
	}
	return out
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
