// Package event decodes what ingest stores into an Event: where it stands, what
// changed, which key, and the headers that its copies carry. Decoding is pure
// and total: whatever a publisher put into headers and payload, there is an
// Event with an id, and nothing in it can pose as the hub or as a command to a
// server.
//
// It is not promised that a payload is JSON, nor that an event has a key.
package event
