// Package sim runs many hubs against a model of the servers, deterministically from
// one seed, and checks after each step and at the end that the guarantees hold.
//
// What decides is the hub's own: package retention (ledger, epochs, pins, trims,
// where registrations begin), package lane/core (what a lane's writer does next),
// package lane/record (the state records) and package partition (which instance has
// which partition). In half of the runs, instances of the services handle what comes
// into the lanes, each with the SDK's scheduler, package queue, until an event is
// applied in the service's database or is a dead letter; in the other half, which have
// more faults of hubs, plain workers do. The servers are package model, which
// TestModelIsTheServer holds against a real one. What lies between, the requests and
// their answers, is the simulation's: a request is sent, served and told in three
// steps, between which anything else may happen. Requests and answers get lost, come
// late, or come from a process that is dead.
//
// A run is a list of actions such as "serve h1/a" or "kill h2". The seed picks them;
// a script is the same list as text. A run that breaks an invariant is shrunk to a
// short script. Each script of testdata is named for the mutant (package mutants) with
// which it breaks a guarantee.
//
// Not simulated, since the model or the pure parts do not know it: the registry and
// what reconciles it with the lanes; snapshots, redrives and rewinds; max_deliver, and
// the hub's dead letters; a roster of the partitions that is deleted; lanes deleted, or
// rolled back to an older copy; a ledger deleted in the same run in which ingest loses
// events, or by hand between the last question of a trim and its purge; the order of a
// row in a lane of which no cursor notices that ingest loses events, whose positions are
// used again: a lane without an interest, or one whose position was put back for its first
// interest; a row that goes back for a while, since some of its events came under an epoch
// that was over and come again under the next one; two looks at a consumer of which each
// is in a moment in which a leader begins; the tail that the lanes of a hub share (each
// lane reads by itself here), and core.Lane.Follow.
package sim
