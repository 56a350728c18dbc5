package contract

import "encoding/json"

// PrefixEmitted is the prefix of messages that a transaction writes into PostgreSQL's
// log as events: pg_logical_emit_message(true, 'replhub', <JSON of Emitted>).
const PrefixEmitted = "replhub"

// OutboxCounterBits is the room for the count of a key's changes in a version of package
// outbox; the generation stands above it.
const OutboxCounterBits = 44

// Emitted is an event in the log of a database.
type Emitted struct {
	// Entity and Op are required.
	Entity string `json:"entity"`
	Op     string `json:"op"`
	// Key says which row changed; by default it is the top-level "id" of the payload.
	Key string `json:"key,omitempty"`
	// Data is the payload if that is JSON, Bytes any other payload, in base64.
	Data  json.RawMessage `json:"data,omitempty"`
	Bytes []byte          `json:"bytes,omitempty"`
	// Version is the publisher's own version of the key; 0 means none.
	Version     int64               `json:"version,omitempty"`
	ContentType string              `json:"content_type,omitempty"`
	Header      map[string][]string `json:"header,omitempty"`
}
