// Package match decides which copy of an event, if any, a service gets. The decision
// depends only on the event and the service's interests, not on a clock, I/O, the
// order of a map or a host's time zone. So every hub decides alike, now and when the
// event is read again.
//
// A decision is valid only for the interests that it was made with. So a writer that
// appends copies must make sure that these interests are still in force.
package match
