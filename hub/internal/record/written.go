package record

import (
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Written is a record that a hub writes.
type Written struct {
	Path  string
	Value []byte
	// Expect is the version that the record replaces, by Through.
	Expect tree.Version
}

// All returns the records of a lane's state: those of its interests, and that of the
// service. A lane without an interest has none.
func All(service subjects.Name, s record.State) []Written {
	if len(s.Interests) == 0 {
		return nil
	}
	all := make([]Written, 0, len(s.Interests)+1)
	for _, in := range s.Interests {
		all = append(all, Written{Path: InterestPath(in.Entity, service), Value: Encode(Of(in))})
	}
	return append(all, Written{Path: ServicePath(service), Value: Encode(OfService(s))})
}

// Through returns the records that a change of a lane writes into the registry, given
// this hub's copy of the registry. Three kinds of records are left out: one that says the
// same already; one of a newer form, because the lane is parked for it, and an old hub must
// not take it away; and a request that was made by hand, with or without an id, because a
// look at the registry registers it. answered is the id of the request that led to the
// change, if a request in the registry did: its record is written. Each record replaces the
// version by which that was decided: what somebody writes between the decision and the
// write stays.
func Through(entries map[string]tree.Entry, known Versions, service subjects.Name, s record.State, answered string) []Written {
	var writes []Written
	for _, in := range s.Interests {
		path := InterestPath(in.Entity, service)
		have, there := entries[path]
		r, newer, err := ParseInterest(have.Value)
		if newer || there && err == nil && (r.Same(in) || r.Requests() && r.ID != in.ID && (r.ID == "" || r.ID != answered)) {
			continue
		}
		writes = append(writes, Written{path, Encode(Of(in)), known.Known(entries, path)})
	}
	if path := ServicePath(service); !IsNewer(entries[path].Value) {
		writes = append(writes, Written{path, Encode(OfService(s)), known.Known(entries, path)})
	}
	return writes
}

// Versions are the versions of the records that a hub wrote itself: its copy of the
// registry may not have them yet. So a hub replaces and removes only what it knows. A
// write that arrives late does not take the place of a record that somebody made since.
type Versions map[string]tree.Version

// Known returns the version of a record, as far as the hub knows; tree.Absent without one.
func (v Versions) Known(entries map[string]tree.Entry, path string) tree.Version {
	own, wrote := v[path]
	e, there := entries[path]
	switch {
	case wrote && there:
		return max(own, e.Version)
	case wrote:
		return own
	case there:
		return e.Version
	}
	return tree.Absent
}

// Wrote notes the version of a record that the hub wrote.
func (v Versions) Wrote(path string, version tree.Version) { v[path] = version }

// Forget forgets a record that the hub removed, or that is at another version.
func (v Versions) Forget(path string) { delete(v, path) }
