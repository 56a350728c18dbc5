// Package hub is the engine: it takes registrations, keeps the lanes of all
// services filled, and trims what nobody needs any more.
//
// The way of an event: a publisher's message is stored in ingest (package
// ingest), the tail hands it to every lane, a lane expands it purely (package
// expand) and appends the copy to its stream (package lane), from where one
// instance of the service takes it. This package decides who wants what
// (register.go, reconcile.go), which hub copies into which lane (owners.go),
// when something may go (trim.go), and answers the control verbs (control.go).
//
// It is not promised that a hub works without NATS; it does without its
// registry as long as lanes exist.
package hub
