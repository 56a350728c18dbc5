// Package tally keeps account of which event reached which service, for runs of
// many millions of copies: four bytes for each copy that may still come again,
// one byte for each event, and a list of what is overdue.
//
// It shares no code with the hub. It is not promised that it looks at payloads:
// package judge does that for shorter runs.
package tally
