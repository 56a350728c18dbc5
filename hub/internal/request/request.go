// Package request checks the requests of services and operators: each request is
// parsed once, into values of valid form. It is pure. It does not check whether a
// lane can fulfil the request.
package request

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Bounds on what may be registered. They keep a hub alive under a flood of
// registrations; a service near them is not doing replication.
const (
	MaxInterests = 1000     // of one service
	MaxServices  = 5000     // of all hubs together
	MinLaneBytes = 64 << 10 // of a lane's limit
	maxAckWait   = 24 * time.Hour
)

var idGrammar = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// ValidID reports whether s may name a hub or an instance: 1 to 64 letters, digits,
// "_" and "-".
func ValidID(id string) bool { return idGrammar.MatchString(id) }

// Request is a checked registration.
type Request struct {
	Wants []Wanted
	// Queue and MaxBytes are the stated values; nil and 0 keep the registered ones.
	Queue    *contract.Queue
	MaxBytes int64
}

// SpeaksOf reports whether the request names an entity, or names none and so means
// all.
func (r Request) SpeaksOf(entity string) bool {
	return len(r.Wants) == 0 || slices.ContainsFunc(r.Wants, func(w Wanted) bool { return w.Def.Entity == entity })
}

// Wanted is one entity of a registration.
type Wanted struct {
	Entity subjects.Name
	// Field is where the request names it, for refusals.
	Field string
	// Full says that the definition was stated; in the short form a registered
	// definition stays unchanged.
	Full  bool
	Def   lane.Interest
	Start Start
	// StartGiven says that the request stated where to start.
	StartGiven bool
	// OpsGiven says that the request named the operations.
	OpsGiven bool
	// Unguarded are the members that the filter reads and an event may lack.
	Unguarded []match.Read
	// ID is the id that a new interest gets; empty for a new id.
	ID string
}

// Identified returns a request for one entity, whose interest gets an id if it is new.
func (r Request) Identified(id string) Request {
	r.Wants = slices.Clone(r.Wants)
	for i := range r.Wants {
		r.Wants[i].ID = id
	}
	return r
}

// ID returns the id that Identified gave; "" without one.
func (r Request) ID() string {
	if len(r.Wants) == 0 {
		return ""
	}
	return r.Wants[0].ID
}

// Start is where a first registration begins. The zero Start begins with the next
// event.
type Start struct {
	All bool
	// Snapshot begins where the zero Start does, and also copies the owner's rows.
	Snapshot bool
	Moment
}

func parseStart(text contract.Start, field string) (Start, error) {
	switch text {
	case "", "new":
		return Start{}, nil
	case "all":
		return Start{All: true}, nil
	case contract.StartSnapshot:
		return Start{Snapshot: true}, nil
	}
	if m, ok := ParseMoment(string(text)); ok {
		return Start{Moment: m}, nil
	}
	return Start{}, contract.FieldErrorf(contract.CodeInvalidValue, field,
		"%q is not \"new\", \"all\", \"snapshot\", %s", Clip(string(text)), Moments)
}

// Parse checks a registration. Every error is a *contract.Error.
func Parse(req contract.Register, known Known) (Request, error) {
	var out Request
	seen := make(map[subjects.Name]bool)
	add := func(w Wanted, field string) error {
		if seen[w.Entity] {
			return contract.FieldErrorf(contract.CodeInvalidValue, field, "entity %q is named twice", w.Entity)
		}
		seen[w.Entity] = true
		out.Wants = append(out.Wants, w)
		return nil
	}
	for i, name := range req.Entities {
		field := fmt.Sprintf("entities[%d]", i)
		entity, err := Name(name, field)
		if err != nil {
			return Request{}, err
		}
		w := Wanted{Entity: entity, Field: field, Def: lane.Interest{Entity: entity.String(), Definition: contract.Definition{Ops: defaultOps()}}}
		if err := add(w, field); err != nil {
			return Request{}, err
		}
	}
	for i, in := range req.Interests {
		w, err := parseInterest(in, fmt.Sprintf("interests[%d]", i), known)
		if err != nil {
			return Request{}, err
		}
		if err := add(w, fmt.Sprintf("interests[%d].entity", i)); err != nil {
			return Request{}, err
		}
	}
	if len(out.Wants) > MaxInterests {
		return Request{}, contract.Errorf(contract.CodeLimit, "at most %d interests for one service", MaxInterests)
	}
	if err := CheckQueue(req.Queue); err != nil {
		return Request{}, err
	}
	if req.MaxBytes != 0 && req.MaxBytes < MinLaneBytes {
		return Request{}, contract.FieldErrorf(contract.CodeInvalidValue, "max_bytes", "%d is too little: at least %d (%s)", req.MaxBytes, MinLaneBytes, contract.SizeText(int64(MinLaneBytes)))
	}
	out.Queue, out.MaxBytes = req.Queue, req.MaxBytes
	return out, nil
}

// Name parses the name of an entity or a service. field is where the request has it.
func Name(text, field string) (subjects.Name, error) {
	name, err := subjects.ParseName(text)
	if err != nil {
		return subjects.Name{}, contract.FieldErrorf(contract.CodeInvalidName, field, "%v", err)
	}
	return name, nil
}

func parseInterest(in contract.Interest, field string, known Known) (Wanted, error) {
	entity, err := Name(in.Entity, field+".entity")
	if err != nil {
		return Wanted{}, err
	}
	ops, err := parseOps(in.Ops, field+".ops")
	if err != nil {
		return Wanted{}, err
	}
	from, err := parseStart(in.Start, field+".start")
	if err != nil {
		return Wanted{}, err
	}
	w := Wanted{
		Entity: entity, Field: field, Full: true, Start: from, StartGiven: in.Start != "", OpsGiven: len(in.Ops) > 0,
		Def: lane.Interest{Entity: entity.String(), Definition: in.Definition},
	}
	w.Def.Ops = ops
	compiled, err := known(w.Def)
	if compiled == nil && err == nil {
		compiled, err = w.Def.Compile()
	}
	if err != nil {
		return Wanted{}, within(field, err)
	}
	w.Unguarded = compiled.Unguarded()
	return w, nil
}

// Known returns the compiled form of a definition in force; nil for any other
// definition.
type Known func(lane.Interest) (*match.Interest, error)

// within prefixes a refusal's field with another.
func within(field string, err error) error {
	refusal, ok := errors.AsType[*contract.Error](err)
	if !ok {
		return contract.FieldErrorf(contract.CodeInvalidValue, field, "%v", err)
	}
	moved := *refusal
	moved.Field = field + "." + refusal.Field
	if refusal.Field == "" {
		moved.Field = field
	}
	return &moved
}

func defaultOps() []string { return opNames(subjects.DefaultOps) }

func opNames(set subjects.OpSet) []string {
	var names []string
	for _, op := range set.Ops() {
		names = append(names, op.String())
	}
	return names
}

// parseOps puts ops into the order of the grammar, so that equal sets are equal.
func parseOps(texts []string, field string) ([]string, error) {
	if len(texts) == 0 {
		return defaultOps(), nil
	}
	ops := make([]subjects.Op, 0, len(texts))
	for i, text := range texts {
		op, err := subjects.ParseOp(text)
		if err != nil {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, fmt.Sprintf("%s[%d]", field, i), "%v", err)
		}
		ops = append(ops, op)
	}
	return opNames(subjects.NewOpSet(ops...)), nil
}

// CheckQueue refuses a queue whose settings are out of range; nil is valid.
func CheckQueue(q *contract.Queue) error {
	if q == nil {
		return nil
	}
	refuse := func(field, format string, args ...any) error {
		return contract.FieldErrorf(contract.CodeInvalidValue, "queue."+field, format, args...)
	}
	switch {
	case q.Order != "" && q.Order != lane.OrderNone && q.Order != lane.OrderKey:
		return refuse("order", "%q is not \"none\" or \"key\"", Clip(q.Order))
	case q.Partitions < 0 || q.Partitions > lane.MaxPartitions:
		return refuse("partitions", "%d is not between 1 and %d", q.Partitions, lane.MaxPartitions)
	case q.Order == lane.OrderNone && q.Partitions > 1:
		return refuse("partitions", "only a queue of order \"key\" has partitions")
	case q.AckWait < 0 || time.Duration(q.AckWait) > maxAckWait:
		return refuse("ack_wait", "%s is not between 0 and %s", q.AckWait, maxAckWait)
	case q.MaxDeliver < 0 || q.MaxDeliver > 1_000_000:
		return refuse("max_deliver", "%d is not between 1 and 1000000", q.MaxDeliver)
	}
	return nil
}

// MergeQueue lays what a request states over what is registered.
func MergeQueue(have contract.Queue, asked *contract.Queue) contract.Queue {
	if asked == nil {
		return have
	}
	q := contract.Queue{
		Order:      cmp.Or(asked.Order, have.Order),
		Partitions: cmp.Or(asked.Partitions, have.Partitions),
		AckWait:    cmp.Or(asked.AckWait, have.AckWait),
		MaxDeliver: cmp.Or(asked.MaxDeliver, have.MaxDeliver),
	}
	if q.Order != lane.OrderKey {
		q.Partitions = 1
	}
	return q
}

// Clip keeps a foreign value short enough to be quoted.
func Clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// Entities are the entities of interests, sorted.
func Entities(interests []lane.Interest) []string {
	names := make([]string, 0, len(interests))
	for _, in := range interests {
		names = append(names, in.Entity)
	}
	slices.Sort(names)
	return names
}
