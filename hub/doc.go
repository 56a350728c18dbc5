// Package hub is the engine: it takes registrations, keeps the lanes of all
// services filled, and trims what no service needs any more.
//
// The way of an event: a publisher's message is stored in ingest (package
// ingest), the tail hands it to every lane, a lane matches it purely (package
// match) and appends the copy to its stream (package lane), from where one
// instance of the service takes it.
//
// This package ties the rooms together (hub.go, rooms.go) and watches over ingest:
// whether it can be reached, whether it is full, and when something may go (trim.go).
// The rooms are packages below: what is asked (request) and what the registry says
// (record); which hub copies into which lane (ownership); the lanes that this hub
// knows (lanes) and their consumers (consumers); who wants what (registration,
// reconcile); which instance has which partition (partition); the control verbs
// (control), the answers to questions (report), and HTTP (httpapi).
//
// It is not promised that a hub works without NATS; it does without its
// registry as long as lanes exist.
package hub
