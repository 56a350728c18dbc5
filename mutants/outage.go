package main

// outageMutants are the mechanisms for what is not an event's fault, and of batches.
var outageMutants = []mutant{
	{
		name: "outage-is-poison", guarantee: "8: an outage uses up no attempts",
		file: "meaning.go",
		old:  "	case database.Unavailable:\n		return meansUnavailable",
		new:  "	case database.Unavailable:\n		return meansFailure",
		pkg:  ".", test: "TestOutageIsNoPoison",
	},
	{
		name: "outage-goes-on-beginning", guarantee: "8: a subscriber that waits tries one event at a time",
		file: "outage.go",
		old:  `return d.outage.probe == nil && d.candidates() > 0 &&`,
		new:  `return d.candidates() > 0 &&`,
		pkg:  ".", test: "TestOneProbeAtATime",
	},
	{
		name: "outage-of-one-event", guarantee: "8: an event that alone is answered so is at fault",
		file: "outage.go",
		old:  `return j.failedAt != 0 && j.src.desk.proved[j.row.entity] > j.failedAt`,
		new:  `return j.failedAt != 0 && j.src.desk.proved[j.row.entity] > j.failedAt+1000`,
		pkg:  ".", test: "TestOutageOfOneEvent",
	},
	{
		name: "conflicts-without-end", guarantee: "8: conflicts in a row are bounded",
		file: "worker.go",
		old:  `j.conflicts <= maxConflicts {`,
		new:  `j.conflicts <= 100*maxConflicts {`,
		pkg:  ".", test: "TestConflictsAreTriedAgain",
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
		file: "batchhandler.go",
		old:  `case ended, b.away, j.line != nil && b.failed[j.row]:`,
		new:  `case ended, b.away:`,
		pkg:  ".", test: "TestFailingKeyOfABatchKeepsItsOrder",
	},
	{
		name: "batch-in-two", guarantee: "7: no key is in two batches at a time",
		file: "desk.go",
		old:  `if line.head.state != jobRunning { // in the same batch`,
		new:  `if line.head != nil { // in the same batch`,
		pkg:  ".", test: "TestDeskKeepsKeysInOrderInBatches",
	},
	{
		name: "batch-crashes-again", guarantee: "8: what comes again comes in smaller batches",
		file: "share.go",
		old:  `3*(max(j.delivered-1, 0)+j.doubts)`,
		new:  `3*j.doubts`,
		pkg:  ".", test: "TestBatchIsAFairShareOfWhatWaits",
	},
}
