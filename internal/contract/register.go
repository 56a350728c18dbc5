package contract

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Register is the request of replhub.register.<service>: the short form names
// entities, the full form states interests; both may be given for different
// entities. What is omitted stays as it is registered, or takes its default.
type Register struct {
	Entities  []string   `json:"entities,omitempty"`
	Interests []Interest `json:"interests,omitempty"`
	Queue     *Queue     `json:"queue,omitempty"`
	// MaxBytes bounds the lane's stream; 0 leaves it as it is (1 GiB at first).
	MaxBytes int64 `json:"max_bytes,omitempty"`
}

// Interest is what a service wants of one entity.
type Interest struct {
	Entity string `json:"entity"`

	Definition

	// Start is "new", "all", "snapshot", an RFC 3339 time or a sequence (as a
	// string or a number); empty means "new". It counts at the first registration
	// only.
	Start Start `json:"start,omitempty"`
}

// Definition says which events of an entity a service gets, and what its copies keep.
// A request, a registry record, a lane's state record and a report of an interest have
// the same members for it.
type Definition struct {
	// Ops are the operations wanted; empty in a request means create, update and
	// delete. An interest in force names its operations.
	Ops []string `json:"ops,omitempty"`
	// Filter is a CEL expression over data, entity, op, key, headers and time
	// that yields a bool; empty lets all pass. Deletes always pass.
	Filter string `json:"filter,omitempty"`
	// Fields are the JSON paths that copies keep; empty keeps the payload
	// untouched.
	Fields []string `json:"fields,omitempty"`
	// Echo asks for the service's own events too.
	Echo bool `json:"echo,omitempty"`
}

// Equal reports whether two definitions are the same, operations and fields in the
// same order.
func (d Definition) Equal(other Definition) bool {
	return slices.Equal(d.Ops, other.Ops) && d.Filter == other.Filter && slices.Equal(d.Fields, other.Fields) && d.Echo == other.Echo
}

// IsZero reports whether nothing is stated.
func (d Definition) IsZero() bool { return d.Equal(Definition{}) }

// Queue is how the instances of a service share its lane.
type Queue struct {
	// Order is "none" (the default) or "key".
	Order string `json:"order,omitempty"`
	// Partitions is the number of queues when ordered by key; 1 by default.
	Partitions int `json:"partitions,omitempty"`
	// AckWait is how long a worker may take before redelivery; 30 s by default.
	AckWait Duration `json:"ack_wait,omitempty"`
	// MaxDeliver bounds the deliveries of one event; 10 by default.
	MaxDeliver int `json:"max_deliver,omitempty"`
}

// Start is where a first registration begins. Its JSON form is a string, or a
// bare sequence number.
type Start string

// UnmarshalJSON implements json.Unmarshaler.
func (s *Start) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*s = Start(text)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("a start is a string such as \"new\" or a sequence, not %.80s", data)
	}
	*s = Start(n)
	return nil
}

// Registered is the reply of replhub.register.<service>.
type Registered struct {
	Service   string   `json:"service"`
	Stream    string   `json:"stream"`
	Consumers []string `json:"consumers"`
	Epoch     uint64   `json:"epoch"`
	// Since is, by entity, the ingest sequence from which every matching event
	// reaches the lane: of the entities that the request names, of all if it names
	// none.
	Since map[string]uint64 `json:"since"`
	// Complete is false when "all" was requested for one of the entities and older events are
	// gone.
	Complete bool `json:"complete"`
	// Seq is the ingest sequence from which the definitions as they stand now apply to
	// live events. They also apply to older events that are not copied yet.
	Seq uint64 `json:"seq"`
	// Warnings tell what is in force and hardly meant so, in sentences: members
	// that a filter of the request reads unguarded. Never null.
	Warnings []string `json:"warnings"`
}
