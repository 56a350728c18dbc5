// Package model is what the simulation knows of JetStream: streams and pull
// consumers as nats-server keeps them, without network, disk, goroutines or a clock
// of their own. Each operation is one step and gives the answer that the server
// gives, error codes included.
//
// What it says is held against the real server: TestModelIsTheServer runs the same
// random operations on both and compares every answer. What the model does not
// know, the simulation does not do.
package model
