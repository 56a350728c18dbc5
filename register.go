package replhub

import (
	"context"
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Interest selects the events of one entity that a service gets.
type Interest struct {
	// Entity is the entity whose changes the service gets.
	Entity string
	// Ops are the operations that the service gets; Create, Update and Delete by
	// default.
	Ops []Op
	// Filter is a CEL expression over data, entity, op, key, headers and time
	// that yields a bool, such as "data.tenant == 'acme'"; none by default.
	// Deletes always pass.
	Filter string
	// Fields are the JSON paths that copies keep, such as "address.city"; the
	// whole payload, untouched, by default.
	Fields []string
	// Start is where the first registration begins, StartNew by default. It has an
	// effect once: a registered interest continues from its position. After the lane
	// was detached, which loses events, it has an effect again and is required.
	Start Start
	// Echo includes the events that the service itself published; false by default.
	Echo bool
}

// Start is where a first registration begins: StartNew, StartAll, StartSnapshot,
// StartAt or StartFrom. The zero Start is StartNew where one is needed, and none where
// the interest is registered already.
type Start struct{ text string }

// StartNew begins with the next event that is published.
func StartNew() Start { return Start{"new"} }

// StartAll begins with the oldest event that the hub still holds.
func StartAll() Start { return Start{"all"} }

// StartSnapshot begins with the present rows of the entity's owner; see
// ServeSnapshot.
func StartSnapshot() Start { return Start{"snapshot"} }

// StartAt begins with the events stored at t or later. It is refused with CodeTooOld
// when the hub no longer holds them.
func StartAt(t time.Time) Start { return Start{t.UTC().Format(time.RFC3339Nano)} }

// StartFrom begins with an ingest sequence, counted from 1. It is refused with
// CodeTooOld when the hub no longer holds that event.
func StartFrom(seq uint64) Start { return Start{strconv.FormatUint(seq, 10)} }

// String is the start as it is on the wire; empty for the zero Start.
func (s Start) String() string { return s.text }

// Order is how the instances of a service share its queue.
type Order string

// The orders of a queue.
const (
	// OrderNone lets instances compete for every event.
	OrderNone Order = "none"
	// OrderKey keeps the events of one key in strict order, by partitions that
	// are spread over the instances.
	OrderKey Order = "key"
)

// Queue is how the instances of a service share its lane. A zero field keeps the
// registered value, or takes the default at the first registration.
type Queue struct {
	// Order is OrderNone by default.
	Order Order
	// Partitions is the number of queues under OrderKey; 1 by default. It can
	// change only while every copy is acknowledged.
	Partitions int
	// AckWait is how long an instance may hold an event without a sign of progress
	// before another instance gets it; 30 s by default.
	AckWait time.Duration
	// MaxDeliver bounds the server's deliveries of one event; after them the event
	// becomes a dead letter; 10 by default.
	MaxDeliver int
}

// Registration is what a service asks of the hub. Interests and settings that it
// leaves out keep their registered values.
type Registration struct {
	Interests []Interest
	Queue     Queue
	// MaxBytes bounds the lane's stream, in bytes; 0 keeps the present bound, which
	// is 1 GiB at the first registration.
	MaxBytes int64
}

// Registered is what the hub has put in force.
type Registered struct {
	// Stream is the service's lane, and Consumers its work queues.
	Stream    string
	Consumers []string
	// Since is, by entity, the ingest sequence from which on every matching event
	// comes. It has the entities of the Registration, or all registered ones if the
	// Registration has none. Epoch is the present epoch of ingest.
	Since map[string]uint64
	Epoch uint64
	// Complete is false when StartAll was requested and older events are gone.
	Complete bool
	// Warnings are sentences about settings that the hub accepted but finds doubtful.
	// For example, a filter that reads a member makes a dead letter of each event
	// that lacks it.
	Warnings []string
}

// Register puts interests in force and returns once they are. It is idempotent: a
// service calls it at each start. A refusal is a *RefusedError. Without a hub the
// error is ErrNoHub, unless Config.WaitForHub is set. Where no answer comes, the
// error is ErrUnknownOutcome, and registering again is safe.
func (c *Client) Register(ctx context.Context, r Registration) (Registered, error) {
	var reply contract.Registered
	if err := c.ask(ctx, contract.VerbRegister, r.request(), &reply); err != nil {
		return Registered{}, err
	}
	return Registered{
		Stream: reply.Stream, Consumers: reply.Consumers, Since: reply.Since, Epoch: reply.Epoch, Complete: reply.Complete,
		Warnings: reply.Warnings,
	}, nil
}

// Unregister ends the service's interest in the named entities, or in all entities
// when none is named, and returns the ended ones. Events copied before are still
// delivered.
func (c *Client) Unregister(ctx context.Context, entities ...string) (ended []string, err error) {
	var reply contract.Unregistered
	if err := c.ask(ctx, contract.VerbUnregister, contract.Unregister{Entities: entities}, &reply); err != nil {
		return nil, err
	}
	return reply.Ended, nil
}

// request is the registration in the form of the hub's request.
func (r Registration) request() contract.Register {
	out := contract.Register{MaxBytes: r.MaxBytes}
	for _, in := range r.Interests {
		ops := make([]string, 0, len(in.Ops))
		for _, op := range in.Ops {
			ops = append(ops, string(op))
		}
		out.Interests = append(out.Interests, contract.Interest{
			Entity: in.Entity, Start: contract.Start(in.Start.text),
			Definition: contract.Definition{Ops: ops, Filter: in.Filter, Fields: in.Fields, Echo: in.Echo},
		})
	}
	if r.Queue != (Queue{}) {
		out.Queue = &contract.Queue{
			Order: string(r.Queue.Order), Partitions: r.Queue.Partitions,
			AckWait: contract.Duration(r.Queue.AckWait), MaxDeliver: r.Queue.MaxDeliver,
		}
	}
	return out
}
