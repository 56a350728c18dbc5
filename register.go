package replhub

import (
	"context"
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Interest is what a service wants of one entity.
type Interest struct {
	// Entity is whose changes are wanted.
	Entity string
	// Ops are the operations wanted; Create, Update and Delete by default.
	Ops []Op
	// Filter is a CEL expression over data, entity, op, key, headers and time
	// that yields a bool, such as "data.tenant == 'acme'"; none by default.
	// Deletes always pass.
	Filter string
	// Fields are the JSON paths that copies keep, such as "address.city"; the
	// whole payload, untouched, by default.
	Fields []string
	// Start is where the first registration begins, StartNew by default. It
	// counts once: a registered interest goes on from where it stands. After the
	// lane was detached, which loses events, it counts again and must be stated.
	Start Start
	// Echo asks for the service's own events too.
	Echo bool
}

// Start is where a first registration begins: StartNew, StartAll, StartSnapshot,
// StartAt or StartFrom. The zero Start is StartNew where one is needed, and none where
// the interest is registered already.
type Start struct{ text string }

// StartNew begins with what is published from now on.
func StartNew() Start { return Start{"new"} }

// StartAll begins with all that the hub still holds.
func StartAll() Start { return Start{"all"} }

// StartSnapshot begins with the rows that the entity's owner has.
func StartSnapshot() Start { return Start{"snapshot"} }

// StartAt begins with what was stored at t or later; refused as too_old when
// the hub does not hold that any more.
func StartAt(t time.Time) Start { return Start{t.UTC().Format(time.RFC3339Nano)} }

// StartFrom begins with an ingest sequence, from 1 on; refused as too_old when
// the hub does not hold it any more.
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

// Queue is how the instances of a service share its lane. A zero field leaves
// what is registered, or takes the default at the first registration.
type Queue struct {
	// Order is OrderNone by default.
	Order Order
	// Partitions is the number of queues under OrderKey; 1 by default. It can
	// change only while every copy is acknowledged.
	Partitions int
	// AckWait is how long an instance may be silent about an event before
	// another gets it; 30 s by default.
	AckWait time.Duration
	// MaxDeliver bounds the deliveries of one event by the server, after which
	// it is a dead letter; 10 by default.
	MaxDeliver int
}

// Registration is what a service asks of the hub. What it leaves out stays as
// it is registered.
type Registration struct {
	Interests []Interest
	Queue     Queue
	// MaxBytes bounds the lane's stream; 0 leaves it as it is, 1 GiB at first.
	MaxBytes int64
}

// Registered is what the hub has put in force.
type Registered struct {
	// Stream is the service's lane, and Consumers its work queues.
	Stream    string
	Consumers []string
	// Since is, by entity of the Registration (all that are registered, if it has
	// none), the ingest sequence from which every matching event comes, and Epoch
	// the epoch that ingest is in.
	Since map[string]uint64
	Epoch uint64
	// Complete is false when StartAll was asked for and older events are gone.
	Complete bool
	// Warnings are what the hub took and finds doubtful, in sentences: a filter
	// that reads a member which an event may lack makes a dead letter of it.
	Warnings []string
}

// Register puts interests in force and returns once they are. It is idempotent:
// a service does it at each start. A refusal is a *RefusedError; without a hub the
// error is ErrNoHub, unless Config.WaitForHub. Where no answer comes it is
// ErrUnknownOutcome, and registering again is safe.
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

// Unregister ends the service's interest in entities, in all when none is named,
// and returns those that it ended. What was copied before stays with the workers.
func (c *Client) Unregister(ctx context.Context, entities ...string) (ended []string, err error) {
	var reply contract.Unregistered
	if err := c.ask(ctx, contract.VerbUnregister, contract.Unregister{Entities: entities}, &reply); err != nil {
		return nil, err
	}
	return reply.Ended, nil
}

// request is the registration as the hub takes it.
func (r Registration) request() contract.Register {
	out := contract.Register{MaxBytes: r.MaxBytes}
	for _, in := range r.Interests {
		ops := make([]string, 0, len(in.Ops))
		for _, op := range in.Ops {
			ops = append(ops, string(op))
		}
		out.Interests = append(out.Interests, contract.Interest{
			Entity: in.Entity, Ops: ops, Filter: in.Filter, Fields: in.Fields, Start: contract.Start(in.Start.text), Echo: in.Echo,
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
