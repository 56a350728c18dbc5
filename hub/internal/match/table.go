package match

import (
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Kind is the kind of a decision about an event.
type Kind uint8

// The kinds of decisions.
const (
	Skip Kind = iota // nothing
	Copy             // append a copy to the lane
	Dead             // write a dead letter
)

// Decision says what a service gets for an event.
type Decision struct {
	Kind Kind
	// Why is one of contract.Verdict* when skipped, of contract.Reason* when dead.
	Why string
	// Err describes why an event is dead, in one line that fits a header.
	Err error
	// Subject is the copy's.
	Subject string
	// Data is the copy's payload. It may share the event's memory: read-only.
	Data []byte
	// Bare says that the copy has none of the publisher's headers.
	Bare bool
	// Interest is the interest that decided; nil when there is none in the entity.
	Interest *Interest
}

// Table is one service's interests, ready to expand events. It is immutable and
// safe for concurrent use.
type Table struct {
	service    subjects.Name
	partitions int
	entities   map[subjects.Name]*want
}

// want is the interest in one entity with the subjects of its copies.
type want struct {
	interest *Interest
	// subjects holds a copy's subject by op and partition: an expansion builds
	// no subject.
	subjects [subjects.Delete + 1][]string
}

// mostSubjects bounds the prepared subjects for one op of one entity; further
// subjects are built when needed.
const mostSubjects = 256

// New makes a service's table. Zero or one partitions means not partitioned. A
// service has at most one interest in an entity; of several the last counts.
func New(service subjects.Name, partitions int, interests []*Interest) *Table {
	return (*Table)(nil).Renew(service, partitions, interests)
}

// Renew is New for a service that had the table before, nil for none: it reuses the
// prepared parts of interests that have not changed.
func (t *Table) Renew(service subjects.Name, partitions int, interests []*Interest) *Table {
	next := &Table{
		service:    service,
		partitions: max(partitions, 1),
		entities:   make(map[subjects.Name]*want, len(interests)),
	}
	for _, i := range interests {
		if t != nil && t.service == service && t.partitions == next.partitions {
			if old := t.entities[i.def.Entity]; old != nil && old.interest == i {
				next.entities[i.def.Entity] = old
				continue
			}
		}
		next.entities[i.def.Entity] = newWant(service, next.partitions, i)
	}
	return next
}

func newWant(service subjects.Name, partitions int, i *Interest) *want {
	w := &want{interest: i}
	if partitions > mostSubjects {
		return w
	}
	for _, op := range i.def.Ops.Ops() {
		w.subjects[op] = make([]string, partitions)
		for p := range partitions {
			w.subjects[op][p] = subjects.NewCopy(service, i.def.Entity, op, p).String()
		}
	}
	return w
}

// Wants reports whether the service has an interest in the entity.
func (t *Table) Wants(entity subjects.Name) bool { return t.entities[entity] != nil }

// Expand decides what the service gets for e.
func (t *Table) Expand(e *event.Event) Decision {
	w := t.entities[e.Subject.Entity()]
	if w == nil {
		return Decision{Kind: Skip, Why: contract.VerdictNoInterest}
	}
	i, op := w.interest, e.Subject.Op()
	switch {
	case e.Pos.Before(i.def.Since):
		return Decision{Kind: Skip, Why: contract.VerdictBefore, Interest: i}
	case !i.def.Ops.Has(op):
		return Decision{Kind: Skip, Why: contract.VerdictOp, Interest: i}
	case i.limit != nil && !i.limit.allows(op):
		return Decision{Kind: Skip, Why: contract.VerdictNotAllowed, Interest: i}
	case !i.def.Echo && e.Origin != "" && e.Origin == t.service.String():
		return Decision{Kind: Skip, Why: contract.VerdictOwn, Interest: i}
	}
	if i.limit != nil {
		return t.expandLimited(w, e)
	}
	if op != subjects.Delete {
		pass, reason, err := i.passes(e)
		if err != nil {
			return Decision{Kind: Dead, Why: reason, Err: err, Interest: i}
		}
		if !pass {
			return Decision{Kind: Skip, Why: contract.VerdictFiltered, Interest: i}
		}
	}
	return t.project(w, e)
}

// project makes the copy of an event that passed.
func (t *Table) project(w *want, e *event.Event) Decision {
	i, data := w.interest, e.Data
	if i.fields != nil {
		var (
			reason string
			err    error
		)
		if data, reason, err = i.fields.project(e.Subject.Op(), e.Data); err != nil {
			return Decision{Kind: Dead, Why: reason, Err: err, Interest: i}
		}
	}
	return Decision{Kind: Copy, Subject: t.subject(w, e), Data: data, Interest: i}
}

// passes judges an event by both filters. If one filter leaves the event out, a
// failure of the other does not make it a dead letter.
func (i *Interest) passes(e *event.Event) (pass bool, reason string, err error) {
	pass = true
	for _, f := range [...]*filter{i.filter, i.only} {
		if f == nil {
			continue
		}
		passes, why, failed := f.passes(e)
		switch {
		case failed == nil && !passes:
			return false, "", nil
		case failed != nil && err == nil:
			pass, reason, err = false, why, failed
		}
	}
	return pass, reason, err
}

// subject is the subject of e's copy.
func (t *Table) subject(w *want, e *event.Event) string {
	p, op := subjects.Partition(e.Key, t.partitions), e.Subject.Op()
	if ready := w.subjects[op]; p < len(ready) {
		return ready[p]
	}
	return subjects.NewCopy(t.service, e.Subject.Entity(), op, p).String()
}
