package main

// outageMutants are the mechanisms for what is not an event's fault, and of batches.
var outageMutants = []mutant{
	{
		name: "outage-ends-in-silence", guarantee: "8: an outage that ends with its work queues is told once at each end",
		file: "state.go",
		old:  `	s.outages.end(s, &over, true)`,
		new:  ``,
		pkg:  ".", test: "TestOutageEndsWithItsQueues",
	},
	{
		name: "outage-is-poison", guarantee: "8: an outage uses up no attempts",
		file: "meaning.go",
		old:  "	case database.Unavailable:\n		return queue.Unavailable",
		new:  "	case database.Unavailable:\n		return queue.Failure",
		pkg:  ".", test: "TestMeaningOf",
	},
	{
		name: "outage-goes-on-beginning", guarantee: "8: a subscriber that waits tries one event at a time",
		file: "internal/queue/outage.go",
		old:  `return o.probe == nil && o.candidates() > 0 &&`,
		new:  `return o.candidates() > 0 &&`,
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: noQueue,
	},
	{
		name: "outage-of-one-event", guarantee: "8: an event that alone is answered so is at fault",
		file: "internal/queue/proof.go",
		old:  `return j.failedAt != 0 && p.last[j.Row.Entity] > j.failedAt`,
		new:  `return j.failedAt != 0 && p.last[j.Row.Entity] > j.failedAt+1000`,
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: noQueue,
	},
	{
		name: "conflicts-without-end", guarantee: "8: conflicts in a row are bounded",
		file: "internal/queue/attempt.go",
		old:  `j.conflicts <= maxConflicts {`,
		new:  `j.conflicts <= 100*maxConflicts {`,
		pkg:  "./internal/queue", test: "TestConflictsInARowAreBounded",
		noSim: noQueue,
	},
	{
		name: "cut-off-is-unknown", guarantee: "8: a server that crashes cuts its connections off",
		file: "database/errors.go",
		old:  `net.ErrClosed, context.DeadlineExceeded, io.ErrUnexpectedEOF:`,
		new:  `net.ErrClosed, context.DeadlineExceeded:`,
		pkg:  "./database", test: "TestClassifyPostgresThatEnds",
	},
	{
		name: "batch-without-order", guarantee: "7: nothing of a key is handled before what failed of it",
		file: "internal/queue/halving.go",
		old:  `case ended, b.halving.away, j.line != nil && b.halving.failed[j.Row]:`,
		new:  `case ended, b.halving.away:`,
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: noQueue,
	},
	{
		name: "batch-in-two", guarantee: "7: no key is in two batches at a time",
		file: "internal/queue/line.go",
		old:  `if l.head.state != jobRunning { // in the same batch`,
		new:  `if l.head != nil { // in the same batch`,
		pkg:  "./internal/queue", test: "TestRowsKeepTheirOrder",
		noSim: noQueue,
	},
	{
		name: "batch-crashes-again", guarantee: "8: what comes again comes in smaller batches",
		file: "internal/queue/batch.go",
		old:  `3*(max(j.Delivered-1, 0)+j.doubts)`,
		new:  `3*j.doubts`,
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: noQueue,
	},
}
