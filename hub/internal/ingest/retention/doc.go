// Package retention decides which events of ingest may go, and where a reader goes
// on, given what was read in which order. It promises that no event goes that a
// lane, a fill or a registration under way still needs, whatever other hubs do
// between two of its steps, and that a reader never passes over an event in silence.
//
// It has no goroutine, clock, context or connection. An operation is a chain of
// steps (Step): each names one question to a server, or one write, and what follows
// its answer. Package ingest performs them on NATS, the simulation on a model.
package retention
