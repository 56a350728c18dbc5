package contract

import "time"

// VerbErase removes what the hub's streams hold of one key: replhub.erase.
const VerbErase = "erase"

// Erase names the key whose events are to be removed.
type Erase struct {
	Entity string `json:"entity"`
	Key    string `json:"key"`
	// DryRun looks, and removes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// After continues: the Next of the reply before, to a request that is otherwise the
	// same.
	After string `json:"after,omitempty"`
}

// Erased is one page of the reply of replhub.erase. The counts are of this page alone.
type Erased struct {
	// ID names the request in the list of erasures that status shows; empty in a dry run.
	ID     string `json:"id,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"`
	// Events, Copies, DeadLetters and Records count what was removed, or found in a dry
	// run: events of ingest, copies in lanes, dead letters, and old state records of lanes
	// that name the key as the place of a snapshot.
	Events      int `json:"events"`
	Copies      int `json:"copies"`
	DeadLetters int `json:"dead_letters"`
	Records     int `json:"records"`
	// Deletes is how many of the events, copies and dead letters were deletes without a
	// payload: they carried the key alone.
	Deletes int `json:"deletes"`
	// InFlight is how many of the copies a worker may hold. The service applies such a
	// copy, or stores it as a dead letter, all the same.
	InFlight int `json:"in_flight"`
	// Looked counts the messages that were looked at. Place is the stream where the page
	// ended.
	Looked int    `json:"looked"`
	Place  string `json:"place"`
	// Found names the messages that a dry run found, at most 100 for a page.
	Found []ErasedMessage `json:"found,omitempty"`
	// Left names what could not be removed, and why.
	Left []ErasedMessage `json:"left,omitempty"`
	// Next is the After of the next page; empty at the end.
	Next string `json:"next,omitempty"`
}

// ErasedMessage is a message in one of the hub's streams, or the stream as a whole.
type ErasedMessage struct {
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq,omitempty"`
	// Subject is the message's.
	Subject string `json:"subject,omitempty"`
	// Bare says that it is a delete without a payload.
	Bare bool `json:"bare,omitempty"`
	// Reason is why it stays.
	Reason string `json:"reason,omitempty"`
}

// Erasure is one request of replhub.erase, as status lists it.
type Erasure struct {
	// ID is the reply's. Key is the SHA-256 of "<entity>/<key>", in hexadecimal digits.
	ID     string `json:"id"`
	Entity string `json:"entity"`
	Key    string `json:"key_sha256"`
	// Hub is the hub that answered the last page.
	Hub string `json:"hub"`
	// Begun and Ended are by the clock of ingest's server. Ended is absent while pages are
	// missing: the request was interrupted, or is under way.
	Begun time.Time  `json:"begun"`
	Ended *time.Time `json:"ended,omitempty"`
	// The counts are as in Erased, of all pages.
	Events      int `json:"events"`
	Copies      int `json:"copies"`
	DeadLetters int `json:"dead_letters"`
	Records     int `json:"records"`
}
