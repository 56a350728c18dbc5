package main

// coreMutants are mechanisms of a lane's core (hub/internal/lane/core). Its scripts and
// its rivals hold them without a server.
var coreMutants = []mutant{
	{
		name: "record-beside-an-open-append", guarantee: "2: at most one append is in doubt",
		file: "hub/internal/lane/core/lane.go",
		old:  `return l.window.settleBefore(l.journal.write(l.view.tip.Last, l.window.patience.time()))`,
		new:  `return l.journal.write(l.view.tip.Last, l.window.patience.time())`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts|TestRivals",
		noSim: "the stated last sequence refuses such a record as well",
	},
	{
		name: "old-epoch-goes-on", guarantee: "3: events of an epoch that is over are not appended under the next",
		file: "hub/internal/lane/core/view.go",
		old:  `	if l.copier.work != nil && !sameCursors(checked.State, s) {`,
		new:  `	if l.copier.work != nil && checked.State.Dropped {`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "fill-without-a-record", guarantee: "2: copies belong to the phase of the record in front of them",
		file: "hub/internal/lane/core/phase.go",
		old:  `	return draft{State: p.view.tip.State.In(record.Live), Why: WhyPhase}`,
		new:  "	p.view.tip.State = p.view.tip.State.In(record.Live)\n	return nil",
		pkg:  "./hub/internal/lane/core", test: "TestRivals",
		noSim: rare,
	},
}
