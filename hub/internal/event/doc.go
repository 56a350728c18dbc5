// Package event decodes a message of ingest into an Event: its position, what
// changed, the key, and the headers of its copies. Decoding is pure and total: any
// headers and payload give an Event, and none of its headers can be mistaken for one
// of the hub's or for a command to a server.
//
// It is not promised that a payload is JSON, nor that an event has a key.
package event
