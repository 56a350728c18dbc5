// Package queue decides what one instance of a service does with the events of its
// work queues: which events it pulls, in which order it begins them, which it
// acknowledges, gives back or tries again, and when it asks the server for the
// deliveries of other instances.
//
// The [Scheduler] is a state machine. It has no goroutine, no clock, no lock and no
// connection: each input is a method that says what happened and when, and
// [Scheduler.Ready] returns the outputs. The driver, in package replhub, serialises
// the inputs under one lock and performs the outputs without it. The same inputs at
// the same times always give the same outputs.
//
// What is promised: events of one row are handed out in the order of the lane and one
// at a time, across redeliveries, reconnects and changes of the holder. What is not
// promised: that an event is handed out once. It is handed out again until it is
// settled.
//
// The files, each readable alone:
//
//	scheduler.go    the inputs of workers and of time
//	job.go          an event on its way through this process
//	line.go         the events of one row, in order
//	fifo.go         what is ready to begin
//	retry.go        what waits for its next attempt
//	source.go       one consumer of the lane: its inputs
//	inflight.go     what a consumer has delivered and is not settled
//	window.go       how much a consumer is asked for
//	handled.go      the copies that were settled last
//	session.go      an unbroken run of deliveries of a partition
//	outstanding.go  what the server counts, beside what is here
//	partition.go    partitions that come, go and are in doubt
//	lease.go        how long partitions are held without a word from a hub
//	attempt.go      what becomes of an event that its handler refused
//	waiting.go      events that wait for other rows
//	crowd.go        where those keep others out
//	outage.go       something that the handlers need is away
//	proof.go        whether an outage is one event's own
//	batch.go        what a worker begins at once
//	halving.go      a batch that failed
//	ready.go        the outputs
package queue
