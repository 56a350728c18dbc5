// Package tree is a small tree of records under slash-separated paths that
// outlives the process: what zkmap keeps in ZooKeeper and kvmap in a JetStream
// bucket. Reads of a Snapshot may be stale, never torn.
//
// The package holds the shared words only; treetest holds the behaviour that
// every store must show.
package tree

import (
	"errors"
	"time"
)

// Errors that callers decide on.
var (
	// ErrNotFound: no record at that path.
	ErrNotFound = errors.New("record not found")
	// ErrConflict: the record is not at the expected version.
	ErrConflict = errors.New("record is at another version")
	// ErrUnavailable: the store cannot be reached now. The outcome of a write
	// that ends so is unknown.
	ErrUnavailable = errors.New("registry unavailable")
)

// Version is a record's version in its store. It grows with each write and is
// otherwise opaque.
type Version int64

// Expectations of Put and Delete, beside a version that was read.
const (
	// Any overwrites whatever is there, or creates it.
	Any Version = -1
	// Absent creates, and conflicts when there is a record.
	Absent Version = -2
)

// Entry is one record.
type Entry struct {
	Value   []byte
	Version Version
}

// Snapshot is the whole tree at one moment, immutable. Paths have no leading
// slash: "entities/user/sharing". Only leaves that hold or may hold a record
// appear; a folder is implied by its records.
type Snapshot struct {
	Entries map[string]Entry
}

// Status is a store's connection as seen from here.
type Status struct {
	Connected bool
	// Since is when Connected last changed.
	Since time.Time
	// Err is the latest error in words, empty when connected.
	Err string
}
