package core_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

// registration is one interest from the record that put it in force on.
type registration struct {
	record.Interest

	copies []uint64 // of events, by sequence
	over   bool
}

// judge reads the stream as its workers do, and compares it with what is due.
func (r *rivals) judge() {
	var all []*registration
	inForce := make(map[string]*registration) // by entity
	rows := make(map[string][]string)         // by fill
	var state record.State
	for i, m := range r.stream {
		if m.state != nil {
			state = *m.state
			all = append(all, registered(inForce, state)...)
			continue
		}
		entity := r.entityOf(m)
		if row := m.headers[contract.HeaderChunk]; row != nil {
			if s := state.ActiveSnapshot(); s != nil {
				id := state.Fills[0].RowsID()
				rows[id] = append(rows[id], row[0])
			} else {
				r.t.Errorf("message %d is a row in no snapshot", i+1)
			}
			continue
		}
		if reg := inForce[entity]; reg == nil {
			r.t.Errorf("message %d is a copy of %s, in which there is no interest", i+1, entity)
		} else {
			reg.copies = append(reg.copies, number(r.t, m.headers[contract.HeaderSeq][0]))
		}
	}
	for _, reg := range all {
		r.judgeCopies(reg)
	}
	for _, f := range state.Filled {
		if got := strings.Join(rows[f.ID], " "); got != "1 2 3 4 5" {
			r.t.Errorf("rows of %s: %s", f.ID, got)
		}
	}
}

// registered takes the interests of a record.
func registered(inForce map[string]*registration, s record.State) (added []*registration) {
	for entity, reg := range inForce {
		if in := s.Find(entity); in == nil || in.ID != reg.ID {
			reg.over = true
			delete(inForce, entity)
		}
	}
	for _, in := range s.Interests {
		if inForce[in.Entity] == nil {
			inForce[in.Entity] = &registration{Interest: in}
			added = append(added, inForce[in.Entity])
		}
	}
	return added
}

// entityOf is the entity of a copy, by its event.
func (r *rivals) entityOf(m kept) string {
	if m.headers[contract.HeaderChunk] != nil {
		return ""
	}
	return r.events[number(r.t, m.headers[contract.HeaderSeq][0])-1].Subject.Entity().String()
}

// judgeCopies compares the copies of a registration with what was due to it: all of
// it, or, where the registration ended, the first of it.
func (r *rivals) judgeCopies(reg *registration) {
	var due []uint64
	for _, e := range r.events {
		dead := reg.Filter != "" && r.letters[e.Pos]
		if e.Subject.Entity().String() == reg.Entity && !e.Pos.Before(reg.Since) && !dead {
			due = append(due, e.Pos.Seq)
		}
	}
	want := due
	if reg.over {
		want = due[:min(len(due), len(reg.copies))]
	}
	if !slices.Equal(reg.copies, want) {
		r.t.Errorf("%s (%s, since %s, over: %t) has copies %v, want %v", reg.ID, reg.Entity, reg.Since, reg.over, reg.copies, want)
	}
}

// story is the stream in words.
func (r *rivals) story() string {
	var b strings.Builder
	for i, m := range r.stream {
		switch row := m.headers[contract.HeaderChunk]; {
		case m.state != nil:
			fmt.Fprintf(&b, "%d: record %s\n", i+1, showState(*m.state))
		case row != nil:
			fmt.Fprintf(&b, "%d: row %s\n", i+1, row[0])
		default:
			fmt.Fprintf(&b, "%d: %s %s\n", i+1, r.entityOf(m), m.headers[contract.HeaderSeq][0])
		}
	}
	return b.String()
}
