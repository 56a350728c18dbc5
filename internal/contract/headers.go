package contract

// Headers that a publisher may set on an event; all are optional.
const (
	// HeaderMsgID is the event's id: a retry under the same id within the
	// dedupe window is one event.
	HeaderMsgID = "Nats-Msg-Id"
	// HeaderKey names the row that changed. Without it the payload's top-level
	// "id" is the key.
	HeaderKey = "Replhub-Key"
	// HeaderOrigin is the publishing service's name.
	HeaderOrigin = "Replhub-Origin"
	// HeaderVersion is the publisher's own version of the key, an integer.
	HeaderVersion = "Replhub-Version"
	// HeaderCaptured is set by "replhub capture" on a change that it read from a
	// database's log: the entity of the capture's records, a space, and the change's
	// position, "<commit>.<change>.<number>", hexadecimal. By it a capture finds out
	// which changes are stored. Copies do not have it.
	HeaderCaptured = "Replhub-Captured"
)

// Headers that the hub sets on every copy, beside HeaderKey, HeaderOrigin and
// HeaderVersion.
const (
	// HeaderPosition is where the event stands in the order of changes:
	// "<epoch>-<seq>", both decimal. seq is its ingest sequence.
	HeaderPosition = "Replhub-Position"
	// HeaderID is the publisher's Nats-Msg-Id, or the id of a snapshot's row. An
	// event whose publisher gave no id has its position as its id, and no such header.
	HeaderID = "Replhub-Id"
	// HeaderTime is when ingest stored the event: RFC 3339 with nanoseconds, UTC.
	HeaderTime = "Replhub-Time"
)

// Headers of a dead letter, beside those of a copy.
const (
	// HeaderReason is one of the Reason constants.
	HeaderReason = "Replhub-Reason"
	// HeaderError is the error in words.
	HeaderError = "Replhub-Error"
	// HeaderAttempts is how often handlers were given the event, decimal: the attempts of
	// the last instance of the SDK, or the deliveries where no instance gave it up.
	HeaderAttempts = "Replhub-Attempts"
)

// HeaderRedriven is set on a copy that came back from the dead letters: how
// often it did, decimal. Such a copy says nothing of where its lane stands.
const HeaderRedriven = "Replhub-Redriven"

// HeaderState marks a lane's state record; its value is the record's form, "1".
const HeaderState = "Replhub-State"

// HeaderExpectedLastSeq is the server's compare-and-set on a stream's last
// sequence. It stays visible on stored copies.
const HeaderExpectedLastSeq = "Nats-Expected-Last-Sequence"

// The server's compare-and-set on the last sequence of a subject: the sequence, and the
// subject where it is not the message's own. A capture states by them that its record is
// the newest one. They stay visible in ingest, and copies do not have them.
const (
	HeaderExpectedLastSubjectSeq = "Nats-Expected-Last-Subject-Sequence"
	HeaderExpectedLastSubject    = "Nats-Expected-Last-Subject-Sequence-Subject"
)

// Reasons of dead letters.
const (
	// ReasonNotJSON: the interest has a filter or fields, and the payload is
	// not JSON.
	ReasonNotJSON = "not_json"
	// ReasonNotObject: the interest has a filter or fields, and the payload is
	// JSON but no object.
	ReasonNotObject = "not_object"
	// ReasonFilter: the filter ended in an error (a missing field, a wrong
	// type, its cost limit).
	ReasonFilter = "filter_error"
	// ReasonTooLarge: the event fits the server's limit, its copy with the
	// hub's headers does not.
	ReasonTooLarge = "too_large"
	// ReasonMaxDeliver: no worker acknowledged it within max_deliver deliveries.
	ReasonMaxDeliver = "max_deliver"
	// ReasonParked: a worker gave it up by its own decision.
	ReasonParked = "parked"
)
