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
//	scheduler.go    the inputs, and how the parts are connected
//	env.go          what the parts share: settings, time, outputs
//	work.go         jobs that workers begin, and what became of them
//	batch.go        the jobs that a worker begins at once
//	halving.go      a batch that failed
//	job.go          an event on its way through this process
//	line.go         the events of one row, in order
//	fifo.go         the jobs that are ready to begin
//	retry.go        the jobs that wait for their next attempt
//	sources.go      the consumers in use: partitions that are assigned, released or in doubt
//	lease.go        how long partitions are held without an answer of a hub
//	source.go       one consumer of the lane: its inputs
//	inflight.go     the deliveries of a consumer that are not settled
//	window.go       how many messages are requested from a consumer
//	handled.go      the copies that were settled last
//	session.go      an unbroken run of deliveries of a partition
//	outstanding.go  deliveries that the server counts and this instance lacks
//	attempt.go      the verdict on an event after an attempt
//	waiting.go      events that wait for other rows
//	crowd.go        waiting events that fill a queue
//	outage.go       a time in which something that the handlers need is unavailable
//	proof.go        whether an event itself causes an outage
//	ready.go        the outputs
package queue
