package event

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// RowOf identifies a row of a snapshot.
type RowOf struct {
	Entity subjects.Name
	// Snapshot is the id of the snapshot or backfill.
	Snapshot string
	// Number of the row in the snapshot, from 1.
	Number uint64
	// Origin is the service whose row it is; empty when the owner did not name
	// itself.
	Origin string
}

// Row makes an event of a row that an entity's owner served: a create, at the
// position that was ingest's last before the row was asked for. The row contains
// all changes up to there, and those behind it win over the row. header and data
// stay shared, as with Decode. The one error is a row without a key, or with one
// that a header cannot carry.
func Row(pos Position, t time.Time, r RowOf, header map[string][]string, data []byte) (*Event, error) {
	k := first(header, contract.HeaderKey)
	if !fitsKey(k) {
		return nil, fmt.Errorf("row %d has no key that a header can carry in %d bytes", r.Number, MaxKey)
	}
	return &Event{
		Pos: pos, Time: t, Subject: subjects.NewEvent(r.Entity, subjects.Create), Row: r.Number, Data: data,
		ID:      rowID(r, k),
		Key:     k,
		Origin:  r.Origin,
		Version: version(header),
		Header:  passed(header),
		size:    sizeOf(header, data),
	}, nil
}

// Absent makes an event of a key of which a service gets no row: a delete, at the position
// that was ingest's last before the owner was asked for the row. Whatever the owner does
// with the key later has a later position, and wins over the delete.
func Absent(pos Position, t time.Time, r RowOf, key string) *Event {
	return &Event{
		Pos: pos, Time: t, Subject: subjects.NewEvent(r.Entity, subjects.Delete), Row: r.Number,
		ID: rowID(r, key), Key: key, Origin: r.Origin, size: sizeOf(nil, nil),
	}
}

// WithoutRow is the Absent of a row that a service does not get.
func (e *Event) WithoutRow() *Event {
	return &Event{
		Pos: e.Pos, Time: e.Time, Subject: subjects.NewEvent(e.Subject.Entity(), subjects.Delete), Row: e.Row,
		ID: e.ID, Key: e.Key, Origin: e.Origin, size: sizeOf(nil, nil),
	}
}

// rowID is the same for the same row of the same snapshot. If the number is that of
// another row when it is fetched again after a crash, that row gets another id. So
// does the same row in another snapshot of the interest, because dead letters and the
// inbox distinguish rows by their ids.
func rowID(r RowOf, key string) string {
	f := fnv.New64a()
	_, _ = f.Write([]byte(key)) // never fails
	return r.Snapshot + "-" + strconv.FormatUint(r.Number, 10) + "-" + strconv.FormatUint(f.Sum64(), 36)
}
