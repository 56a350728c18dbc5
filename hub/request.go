package hub

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Bounds on what may be registered. They keep a hub alive under a flood of
// registrations; a service near them is doing something else than replication.
const (
	maxInterests = 1000
	maxServices  = 5000
	minLaneBytes = 64 << 10
	maxAckWait   = 24 * time.Hour
)

// request is a registration that was checked: nothing in it can be refused
// for its form any more.
type request struct {
	wants    []wanted
	queue    *contract.Queue
	maxBytes int64
}

// speaksOf reports whether the request names an entity, or none at all.
func (r request) speaksOf(entity string) bool {
	return len(r.wants) == 0 || slices.ContainsFunc(r.wants, func(w wanted) bool { return w.def.Entity == entity })
}

// wanted is one entity of a registration.
type wanted struct {
	entity subjects.Name
	// field is where the request names it, for refusals.
	field string
	// full says that the definition was stated; in the short form a registered
	// one stays as it is.
	full  bool
	def   lane.Interest
	start start
	// startGiven says that the request stated where to start.
	startGiven bool
	// unguarded are what the filter reads and an event may lack.
	unguarded []match.Read
}

// start is where a first registration begins.
type start struct {
	all bool
	// snapshot begins where nothing is said, and with the owner's rows beside.
	snapshot bool
	moment
}

func parseStart(text contract.Start, field string) (start, error) {
	switch text {
	case "", "new":
		return start{}, nil
	case "all":
		return start{all: true}, nil
	case contract.StartSnapshot:
		return start{snapshot: true}, nil
	}
	if m, ok := parseMoment(string(text)); ok {
		return start{moment: m}, nil
	}
	return start{}, contract.FieldErrorf(contract.CodeInvalidValue, field,
		"%q is not \"new\", \"all\", \"snapshot\", %s", clip(string(text)), moments)
}

// parseRegister checks a registration. Every error is a *contract.Error.
func parseRegister(req contract.Register, known known) (request, error) {
	var out request
	seen := make(map[subjects.Name]bool)
	add := func(w wanted, field string) error {
		if seen[w.entity] {
			return contract.FieldErrorf(contract.CodeInvalidValue, field, "entity %q is named twice", w.entity)
		}
		seen[w.entity] = true
		out.wants = append(out.wants, w)
		return nil
	}
	for i, name := range req.Entities {
		field := fmt.Sprintf("entities[%d]", i)
		entity, err := parseName(name, field)
		if err != nil {
			return request{}, err
		}
		w := wanted{entity: entity, field: field, def: lane.Interest{Entity: entity.String(), Ops: defaultOps()}}
		if err := add(w, field); err != nil {
			return request{}, err
		}
	}
	for i, in := range req.Interests {
		w, err := parseInterest(in, fmt.Sprintf("interests[%d]", i), known)
		if err != nil {
			return request{}, err
		}
		if err := add(w, fmt.Sprintf("interests[%d].entity", i)); err != nil {
			return request{}, err
		}
	}
	if len(out.wants) > maxInterests {
		return request{}, contract.Errorf(contract.CodeLimit, "at most %d interests for one service", maxInterests)
	}
	if err := checkQueue(req.Queue); err != nil {
		return request{}, err
	}
	if req.MaxBytes != 0 && req.MaxBytes < minLaneBytes {
		return request{}, contract.FieldErrorf(contract.CodeInvalidValue, "max_bytes", "%d is too little: at least %d", req.MaxBytes, minLaneBytes)
	}
	out.queue, out.maxBytes = req.Queue, req.MaxBytes
	return out, nil
}

func parseName(text, field string) (subjects.Name, error) {
	name, err := subjects.ParseName(text)
	if err != nil {
		return subjects.Name{}, contract.FieldErrorf(contract.CodeInvalidName, field, "%v", err)
	}
	return name, nil
}

func parseInterest(in contract.Interest, field string, known known) (wanted, error) {
	entity, err := parseName(in.Entity, field+".entity")
	if err != nil {
		return wanted{}, err
	}
	ops, err := parseOps(in.Ops, field+".ops")
	if err != nil {
		return wanted{}, err
	}
	from, err := parseStart(in.Start, field+".start")
	if err != nil {
		return wanted{}, err
	}
	w := wanted{
		entity: entity, field: field, full: true, start: from, startGiven: in.Start != "",
		def: lane.Interest{Entity: entity.String(), Ops: ops, Filter: in.Filter, Fields: in.Fields, Echo: in.Echo},
	}
	compiled, err := known(w.def)
	if compiled == nil && err == nil {
		compiled, err = w.def.Compile()
	}
	if err != nil {
		return wanted{}, within(field, err)
	}
	w.unguarded = compiled.Unguarded()
	return w, nil
}

// known has a definition compiled that is in force; nil for another one.
type known func(lane.Interest) (*match.Interest, error)

// known is what a service's lane has in force, as far as this hub remembers: a
// service that sends its registration at each start does not have all of it
// compiled each time.
func (h *Hub) known(service subjects.Name) known {
	l := h.lanes.get(service)
	if l == nil {
		return func(lane.Interest) (*match.Interest, error) { return nil, nil }
	}
	state := l.Status().State
	return func(in lane.Interest) (*match.Interest, error) {
		have := state.Find(in.Entity)
		if have == nil || !have.SameDefinition(in) {
			return nil, nil
		}
		return l.Compiled(*have)
	}
}

// within puts a refusal's field below another.
func within(field string, err error) error {
	refusal, ok := asRefusal(err)
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

func checkQueue(q *contract.Queue) error {
	if q == nil {
		return nil
	}
	refuse := func(field, format string, args ...any) error {
		return contract.FieldErrorf(contract.CodeInvalidValue, "queue."+field, format, args...)
	}
	switch {
	case q.Order != "" && q.Order != lane.OrderNone && q.Order != lane.OrderKey:
		return refuse("order", "%q is not \"none\" or \"key\"", clip(q.Order))
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

// mergeQueue lays what a request states over what is registered.
func mergeQueue(have contract.Queue, asked *contract.Queue) contract.Queue {
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

// clip keeps a foreign value short enough to be quoted.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// entitiesOf are the entities of interests, sorted.
func entitiesOf(interests []lane.Interest) []string {
	names := make([]string, 0, len(interests))
	for _, in := range interests {
		names = append(names, in.Entity)
	}
	slices.Sort(names)
	return names
}
