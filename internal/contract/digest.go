package contract

// VerbDigest asks for digests of the rows that an entity's owner has now, as a service
// gets them: with its filter and its fields, and what the policy allows.
const VerbDigest = "digest"

// MaxBuckets bounds the buckets of one digest.
const MaxBuckets = 1 << 16

// Digest is the request of replhub.digest.<service>. It asks for one of three: the sums
// of buckets, the rows of some buckets as keys and hashes, or the values of some keys.
// The hub reads rows for some seconds; where the reply does not say End, the next request
// goes on behind its After.
type Digest struct {
	Entity string `json:"entity"`
	// After is the key of the last row before, or a reply's After; empty asks for the first
	// rows.
	After string `json:"after,omitempty"`

	DigestQuery
}

// DigestQuery says what is made of rows.
type DigestQuery struct {
	// Columns are the values that a row's hash covers, in their order.
	Columns []DigestColumn `json:"columns"`
	// Buckets is how many buckets the keys are spread over, 1 to MaxBuckets.
	Buckets int `json:"buckets"`
	// List asks for the rows of these buckets: a bit for each, the lowest bit of a byte
	// first. Without List and Keys the reply has sums.
	List []byte `json:"list,omitempty"`
	// Keys asks for the values of these keys.
	Keys []string `json:"keys,omitempty"`
}

// DigestColumn is one value that a row's hash covers.
type DigestColumn struct {
	// Path is where the payload has the value, its levels parted by dots.
	Path string `json:"path"`
	// Form is the normal form: text, number, bool, bytes, moment, clock, json, loose or
	// loosejson, with [] before it for an array.
	Form string `json:"form"`
	// Absent is the normal form where the payload has no such member; empty is that of null.
	Absent string `json:"absent,omitempty"`
	// Hidden says that the service does not get the member. A hub sets it.
	Hidden bool `json:"hidden,omitempty"`
}

// Digested is the reply of replhub.digest.<service>, and, without Epoch and Seq, an
// owner's answer to a SnapshotRequest with a DigestQuery.
type Digested struct {
	// Rows is how many rows were read, without those that the service does not get; for Keys,
	// those of other keys may be left out as well. After
	// is how far the rows were read: the key of the last row, or, where a hub has judged
	// the rows, a text that only this hub understands.
	Rows  uint64 `json:"rows"`
	After string `json:"after,omitempty"`
	// End says that there are no further rows.
	End bool `json:"end,omitempty"`
	// Unjudged counts rows that the service does not get because its filter, or its fields,
	// cannot be applied to them.
	Unjudged uint64 `json:"unjudged,omitempty"`
	// Sums has eight bytes for each bucket, the lowest first: the sum of the hashes of its
	// rows.
	Sums []byte `json:"sums,omitempty"`
	// Keys are the rows that were asked for, and Hashes has eight bytes for each, or Values
	// the normal forms of its columns.
	Keys   []string   `json:"keys,omitempty"`
	Hashes []byte     `json:"hashes,omitempty"`
	Values [][]string `json:"values,omitempty"`
	// Looked is, in an owner's answer to a request with Lookup, how many of the keys the owner
	// has looked up, in the order of the request. 0 is an answer of an owner that reads its
	// rows, up to After.
	Looked int `json:"looked,omitempty"`
	// Epoch and Seq are the position of ingest's last event before the rows were read.
	Epoch uint64 `json:"epoch,omitempty"`
	Seq   uint64 `json:"seq,omitempty"`
}

// HeaderDigest is on the message in which an owner answers with a Digested. An owner of an
// earlier version answers with rows.
const HeaderDigest = "Replhub-Digest"
