// Package model contains what the simulation needs of JetStream: streams and pull
// consumers that behave as those of nats-server, without network, disk, goroutines or
// a clock of their own. Each operation is one step and gives the answer that the
// server gives, error codes included.
//
// TestModelIsTheServer and TestPullsAreTheServers run the same random operations on
// the model and on a real server, and compare every answer. The simulation uses no
// operation that the model lacks.
package model
