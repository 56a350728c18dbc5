// Package hub is the engine: it takes registrations, keeps the lanes of all services
// filled, and trims events that no service needs any more.
//
// The path of an event: a publisher's message is stored in ingest (package ingest).
// The tail hands it to every lane. A lane matches it purely (package match) and
// appends a copy to its stream (package lane), from which one instance of the service
// takes it.
//
// This package connects the parts of the hub (hub.go, rooms.go) and watches ingest:
// whether it can be reached, whether it is full, and which events may be trimmed
// (trim.go). The parts are packages below: the requests (request) and the records in
// the registry (record); which hub copies into which lane (ownership); the lanes that
// this hub knows (lanes) and their consumers (consumers); the services' interests
// (registration, reconcile); which instance has which partition (partition); the
// control verbs (control), the reports (report), and HTTP (httpapi).
//
// A hub does not work without NATS. It works without its registry as long as lanes
// exist.
package hub
