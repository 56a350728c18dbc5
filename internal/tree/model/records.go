// Package model is a store of records in memory. The simulation uses it as the registry,
// and the suite of package treetest holds it against real ones.
package model

import "github.com/replhub/replhub/internal/tree"

// Records are those of a store. It is not for concurrent use.
type Records struct {
	Entries map[string]tree.Entry
	// Last is the version that the last write gave to its record. A record that is deleted
	// and created again goes on from there.
	Last tree.Version
}

// NewRecords returns an empty store.
func NewRecords() *Records { return &Records{Entries: make(map[string]tree.Entry)} }

// Get returns a record, or tree.ErrNotFound.
func (r *Records) Get(path string) (tree.Entry, error) {
	e, there := r.Entries[path]
	if !there {
		return e, tree.ErrNotFound
	}
	return e, nil
}

// Put writes a record and returns its version. It fails with tree.ErrConflict if the record
// is not as expected.
func (r *Records) Put(path string, value []byte, expect tree.Version) (tree.Version, error) {
	have, there := r.Entries[path]
	if expect == tree.Absent && there || expect >= 0 && (!there || have.Version != expect) {
		return 0, tree.ErrConflict
	}
	r.Last++
	r.Entries[path] = tree.Entry{Value: value, Version: r.Last}
	return r.Last, nil
}

// Delete removes a record. It fails with tree.ErrNotFound if there is none, and with
// tree.ErrConflict if the record is not as expected.
func (r *Records) Delete(path string, expect tree.Version) error {
	have, there := r.Entries[path]
	switch {
	case !there:
		return tree.ErrNotFound
	case expect != tree.Any && have.Version != expect:
		return tree.ErrConflict
	}
	r.Last++
	delete(r.Entries, path)
	return nil
}
