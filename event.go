package replhub

import (
	"cmp"
	"time"
)

// Op is what happened to an entity.
type Op string

// The ops. A publisher of the whole row may use Create and Update alike:
// appliers treat both as an upsert.
const (
	Create Op = "create"
	Read   Op = "read"
	Update Op = "update"
	Delete Op = "delete"
)

// Event is one change of one entity, as a publisher gives it. Only Entity and
// Op are required.
type Event struct {
	// Entity is what changed, such as "user": lower-case letters, digits, "_"
	// and "-", at most 63.
	Entity string
	Op     Op
	// Key says which one changed; order is kept per (entity, key). Empty: the
	// "id" at the top level of a JSON payload.
	Key string
	// Data is the whole entity after the change, never a patch, in any format.
	// A delete may carry its key alone.
	Data []byte
	// ID makes retries idempotent: the same id within the hub's dedupe window
	// (10 minutes by default) is one event. Empty: a new one is made.
	ID string
	// Version is the publisher's own version of the key, counting up; 0 is
	// none. With one, older data never wins over newer, however late it comes.
	Version int64
	// ContentType is that of Data; empty says nothing.
	ContentType string
	// Header holds headers of the publisher's own, trace context among them.
	// Names that begin with "Nats-" or "Replhub-" are refused.
	Header map[string][]string
}

// Position is where a change stands in the order of all changes: by Epoch, then
// by Seq.
type Position struct {
	// Epoch counts the times that ingest was begun anew.
	Epoch uint64
	// Seq is the sequence in ingest.
	Seq uint64
}

// Compare is negative where p comes before o, 0 where they are equal, and positive
// where p comes after o.
func (p Position) Compare(o Position) int {
	return cmp.Or(cmp.Compare(p.Epoch, o.Epoch), cmp.Compare(p.Seq, o.Seq))
}

// Delivery is one change as a subscriber gets it: at least once, so more than
// once at times. Its fields are read-only.
type Delivery struct {
	// Service is whose copy it is.
	Service string
	Entity  string
	Op      Op
	// Key is empty for an event without one; such events have no order.
	Key string
	// ID is the event's id, the same in every service. A row's is its own: the same
	// row of another snapshot or backfill has another.
	ID       string
	Position Position
	// Row is the number of an owner's row in its snapshot or backfill, from 1; 0
	// for an event. A row is what its owner had committed at Position or later, so
	// that one whose Position (or Version) is what was applied already may say
	// more than that: it is applied unless it is older.
	Row uint64
	// Version is the publisher's own version of the key; 0 is none.
	Version int64
	// Time is when ingest stored the event.
	Time time.Time
	// Origin is the service that published it; empty when it did not say.
	Origin      string
	ContentType string
	// Header holds all headers of the copy.
	Header map[string][]string
	// Data is the payload, projected to the fields that were asked for.
	Data []byte
	// Attempt counts deliveries of this copy, from 1.
	Attempt int
}
