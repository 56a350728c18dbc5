// Package match decides which copy of an event, if any, a service gets. The decision
// depends only on the event and the service's interests, not on a clock, I/O, the
// order of a map or a host's time zone. So every hub decides alike, now and when the
// event is read again.
//
// A decision does not hold under other interests: a writer that appends copies must
// state under which interests they were made.
package match
