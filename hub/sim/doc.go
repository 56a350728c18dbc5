// Package sim runs many hubs against a model of the servers. One seed determines the
// whole run. After each step and at the end, the package checks that the guarantees
// hold.
//
// The code of the product makes the decisions: package retention (ledger, epochs,
// pins, trims, where registrations begin), package lane/core (what a lane's writer
// does next), package lane/record (the state records), package lane/history (which
// copies are trimmed), packages record and reconcile/agree (how registry and lanes are
// made to agree), package deadletter/redrive (how dead letters come back), package lane/rewind (where
// rewound workers start again) and package partition (which instance has which partition). In
// half of the runs, instances of the services handle the copies of the lanes. Each
// instance runs the SDK's scheduler, package queue, until an event is applied in the
// service's database or is a dead letter. In the other half, which has more faults of
// hubs, plain workers handle the copies.
//
// The servers are package model, which TestModelIsTheServer compares with a real
// server. The requests and their answers belong to this package: a request is sent,
// served and answered in three steps, and anything else may happen between two steps.
// Requests and answers get lost, come late, or come from a process that is dead.
//
// A run is a list of actions such as "serve h1/a" or "kill h2". The seed picks the
// actions; a script is the same list as text. A run that breaks a guarantee is shrunk
// to a short script. Each script of testdata breaks a guarantee with one mechanism
// removed: with the flaw that its head names, or else with the mutant (package
// mutants) that has the script's name.
//
// Not simulated, because the model or the pure packages do not contain it:
//
//   - the registry's records of services, and records of a wrong or of a newer form
//   - the registry as a source of queues and interests, for a lane that was dropped or
//     purged
//   - snapshots and backfills
//   - max_deliver, and the dead letters of the hub
//   - erased events
//   - queues whose order changes
//   - policies with filters or for single services, and records of policies in a registry
//     that is old or away
//   - a lane that is put back, behind the record of a policy, while that policy is put in
//     force
//   - a deleted roster of the partitions
//   - the order of a row in a lane that was put back to an older copy of its stream, if
//     ingest loses events as well: the lane's position does not show that
//   - a purge of a lane that another hub sent before a rewind was recorded
//   - redriven copies that a lane lost with an older copy of its stream: their letters may
//     be gone
//   - workers that hold copies of a lane while it is put back: their acknowledgements name
//     sequences, under which the lane may soon have other copies
//   - a lane that is put back while a trim of ingest is under way, or to a copy from before
//     a trim: it is detached, since the events are gone
//   - an interest that begins behind the tail that ingest loses, where its lane has read
//     nothing of the tail: events under the sequences that are used again are not due
//   - a row that goes back for a while, because some of its events came under an epoch
//     that was over, and come again under the next one
//   - two reads of a consumer without replicas that both happen while its server begins
//   - workers that hold copies of a lane while it is deleted, as while it is put back; and a
//     lane that is deleted and created again within a second, or while a purge of it is on
//     its way
//   - a ledger that is deleted in the same run in which ingest loses events, or
//     between the last question of a trim and its purge
//   - the tail that the lanes of a hub share (here each lane reads by itself), and
//     core.Lane.Follow
package sim
