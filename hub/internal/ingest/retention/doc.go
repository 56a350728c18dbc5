// Package retention decides which events of ingest may be purged, and where a reader
// continues. It promises that no event is purged that a lane, a fill or a registration
// under way still needs, whatever other hubs do between two of its steps, and that a
// reader never skips an event silently.
//
// It has no goroutine, clock, context or connection. An operation is a chain of steps
// (Step): each step names one request to a server, or one write, and the function
// that takes its answer. Package ingest performs them on NATS, the simulation on a
// model.
package retention
