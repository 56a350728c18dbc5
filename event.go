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
	// Key says which one changed; order is kept per (entity, key). If empty, the key
	// is the "id" at the top level of a JSON payload.
	Key string
	// Data is the whole entity after the change, never a patch, in any format.
	// A delete may carry its key alone.
	Data []byte
	// ID makes retries idempotent: the same id within the hub's dedupe window (10
	// minutes by default) is one event. If empty, a new id is generated.
	ID string
	// Version is the publisher's own version of the key, counting up; 0 means none.
	// With versions, older data never replaces newer data, however late it arrives.
	Version int64
	// ContentType is that of Data; none by default.
	ContentType string
	// Header holds the publisher's own headers, such as the trace context. Names that
	// begin with "Nats-" or "Replhub-" are refused.
	Header map[string][]string
}

// Position is where a change stands in the order of all changes: by Epoch, then
// by Seq.
type Position struct {
	// Epoch counts how often ingest was created again; sequences restart with it.
	Epoch uint64
	// Seq is the sequence in ingest.
	Seq uint64
}

// Compare is negative where p comes before o, 0 where they are equal, and positive
// where p comes after o.
func (p Position) Compare(o Position) int {
	return cmp.Or(cmp.Compare(p.Epoch, o.Epoch), cmp.Compare(p.Seq, o.Seq))
}

// Delivery is one change as a subscriber gets it. A change is delivered at least
// once, and sometimes more than once. The fields are read-only.
type Delivery struct {
	// Service is the service that this copy is for.
	Service string
	Entity  string
	Op      Op
	// Key is empty for an event without one; such events have no order.
	Key string
	// ID is the event's id, the same in every service. A row has an id of its own:
	// the same row has another id in another snapshot or backfill.
	ID       string
	Position Position
	// Row is the number of an owner's row in its snapshot or backfill, from 1; 0 for
	// an event. A row is what its owner had committed at Position or later. A row
	// whose Position (or Version) equals that of the applied change may therefore be
	// newer than that change: apply a row unless it is older.
	Row uint64
	// Version is the publisher's own version of the key; 0 means none.
	Version int64
	// Time is when ingest stored the event.
	Time time.Time
	// Origin is the service that published the event; empty when the publisher did
	// not name it.
	Origin      string
	ContentType string
	// Header holds all headers of the copy.
	Header map[string][]string
	// Data is the payload, reduced to the fields of the interest.
	Data []byte
	// Attempt counts deliveries of this copy, from 1.
	Attempt int
	// Received is when this process got the copy, by its own clock; zero at a further
	// attempt in this process.
	Received time.Time
}
