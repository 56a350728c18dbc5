package contract

// SubjectSnapshot precedes the entity in the subject on which its owner is asked
// for rows: "replhub._snapshot.user". Instances of the owner listen in the queue
// group GroupSnapshot.
//
// The answer to a SnapshotRequest is a run of messages to its reply subject: a
// row each, in the owner's order, then one that carries HeaderSnapshot. A row has
// HeaderKey, HeaderRow (its number within the answer, from 1), HeaderVersion
// and the headers of the owner's own; its payload is the row. An owner that needs long
// says so with SnapshotWait at least every two seconds.
const (
	SubjectSnapshot = "replhub._snapshot."
	GroupSnapshot   = "owner"
)

// StartSnapshot is the start of an interest that begins with the rows of the
// entity's owner.
const StartSnapshot = "snapshot"

const (
	// HeaderRow is, on a copy, the number of a snapshot's or a backfill's row,
	// counted from 1 over the whole of it; copies of events have none. Which
	// snapshot or backfill it is of, HeaderID tells apart. On a row on its way
	// from the owner it is the number within the answer, and on the end of the
	// answer how many there were.
	HeaderRow = "Replhub-Row"
	// HeaderSnapshot is on those messages of an owner that are no rows: one of the
	// Snapshot constants.
	HeaderSnapshot = "Replhub-Snapshot"
	// HeaderRows is, on the end of an owner's answer, about how many rows the owner has in
	// all. It is for the progress that people see, and absent where the owner does not know.
	HeaderRows = "Replhub-Rows"
)

// What a message with HeaderSnapshot says.
const (
	SnapshotWait  = "wait"  // the owner is at work
	SnapshotEnd   = "end"   // of the answer; one without rows is the end of the snapshot
	SnapshotError = "error" // there is no answer; HeaderError says why
)

// SnapshotRequest asks an entity's owner for the rows that follow a key.
type SnapshotRequest struct {
	Entity string `json:"entity"`
	// Service is whose lane the rows are for.
	Service string `json:"service"`
	// After is the key of the last row before; empty asks for the first ones.
	After string `json:"after"`
	// Rows is how many rows there were before.
	Rows uint64 `json:"rows"`
	// Limit bounds the rows of the answer. It ends behind the row with which its
	// payloads reach MaxBytes.
	Limit    int `json:"limit"`
	MaxBytes int `json:"max_bytes"`
	// Timeout is how long the answer is waited for.
	Timeout Duration `json:"timeout"`
	// Keys asks for the rows of these keys alone. The end of the answer then has
	// HeaderDigest, with a Digested that says how far the rows were read in half of Timeout.
	// An owner of an earlier version answers with all rows.
	Keys []string `json:"keys,omitempty"`
	// Lookup says that the hub understands Digested.Looked: an owner that can look up Keys, or
	// those of Digest, does so instead of reading all rows. After is then empty, and rows come
	// in the order of the keys. An owner of an earlier version, or one that cannot look up
	// keys, reads its rows.
	Lookup bool `json:"lookup,omitempty"`
	// Digest asks for a digest of the rows instead of the rows: as many as are read in
	// half of Timeout.
	Digest *DigestQuery `json:"digest,omitempty"`
}

// Kinds of fills.
const (
	FillEvents   = "events"   // of ingest, from before the interest
	FillSnapshot = "snapshot" // rows of the entity's owner, with which an interest begins
	FillBackfill = "backfill" // rows of the entity's owner, asked for again
)

// OfRows reports whether a fill copies an owner's rows.
func (f *FillStatus) OfRows() bool { return f.Kind == FillSnapshot || f.Kind == FillBackfill }

// Metrics of snapshots.
const (
	MetricLaneSnapshotRows    = "replhub_lane_snapshot_rows"
	MetricLaneSnapshotStalled = "replhub_lane_snapshot_stalled"
)
