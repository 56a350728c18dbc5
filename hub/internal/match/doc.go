// Package match decides which copy of an event, if any, a service gets. The
// decision is a function of the event and the service's interests alone: no
// clock, no I/O, no order of a map, no zone of a host enters into it, so that
// every hub decides alike, now and when the event is read again.
//
// It is not promised that a decision holds under other interests: whoever
// appends copies must state which interests they were made under.
package match
