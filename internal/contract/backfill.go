package contract

import "time"

// VerbBackfill asks for an owner's rows again, for a service that is registered
// already.
const VerbBackfill = "backfill"

// Backfill is the request of replhub.backfill.<service>: the rows that the
// owner of an entity has, once more, into the service's lane.
type Backfill struct {
	Entity string `json:"entity"`
	// Filter is CEL as in Interest; only rows that pass it and the interest's own
	// filter are copied. Empty lets all pass.
	Filter string `json:"filter,omitempty"`
	// Keys asks for the rows of these keys alone, at most MaxBackfillKeys. A key of which
	// the service gets no row, because the owner has none or the interest's filter leaves it
	// out, comes as a delete: afterwards a replica has of these keys what the service gets.
	// Keys exclude Filter.
	Keys []string `json:"keys,omitempty"`
}

// MaxBackfillKeys bounds the keys of one backfill, and MaxBackfillBytes their length in
// all: the lane's state record holds them.
const (
	MaxBackfillKeys  = 1000
	MaxBackfillBytes = 64 << 10
)

// KeysOfOneBackfill is how many of the keys, from the first on, one backfill should take.
// It leaves room in the lane's state record, which holds the keys.
func KeysOfOneBackfill(keys []string) int {
	n := 0
	for size := 0; n < min(len(keys), MaxBackfillKeys) && (n == 0 || size+len(keys[n]) <= MaxBackfillBytes/2); n++ {
		size += len(keys[n])
	}
	return n
}

// Backfilling is the reply of replhub.backfill.<service>. It comes once the
// backfill is in force in the lane; the rows come afterwards, and describe tells
// how far they are.
type Backfilling struct {
	Service string `json:"service"`
	Entity  string `json:"entity"`
	Filter  string `json:"filter,omitempty"`
	// ID names the backfill in describe, while it is under way (fill) and for
	// some time afterwards (filled).
	ID string `json:"id"`
	// Seq is the last event that ingest had when the backfill was asked for, in
	// epoch Epoch: each row contains all changes up to there, and has this
	// position or a later one.
	Epoch uint64    `json:"epoch"`
	Seq   uint64    `json:"seq"`
	Began time.Time `json:"began"`
	// UnderWay says that the backfill had been asked for before, and Rows how many
	// rows it has dealt with.
	UnderWay bool   `json:"under_way,omitempty"`
	Rows     uint64 `json:"rows,omitempty"`
	// Warnings are as in Registered, of the request's filter.
	Warnings []string `json:"warnings"`
}

// FilledStatus is a fill of rows that came to its end.
type FilledStatus struct {
	ID     string `json:"id"`
	Entity string `json:"entity"`
	// Rows is how many rows the owner had, those that a filter left out included.
	Rows  uint64    `json:"rows"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}
