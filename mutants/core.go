package main

// coreMutants are mechanisms of a lane's core (hub/internal/lane/core). Its scripts and
// its rivals hold them without a server.
var coreMutants = []mutant{
	{
		name: "record-beside-an-open-append", guarantee: "2: at most one append is in doubt",
		file: "hub/internal/lane/core/read.go",
		old:  "	if l.open != nil {\n		return l.settle()\n	}\n	l.write.Last",
		new:  "	l.write.Last",
		pkg:  "./hub/internal/lane/core", test: "TestScripts|TestRivals",
		noSim: "the stated last sequence refuses such a record as well",
	},
	{
		name: "old-epoch-goes-on", guarantee: "3: events of an epoch that is over are not appended under the next",
		file: "hub/internal/lane/core/read.go",
		old:  `	if l.work != nil && !sameCursors(checked.State, s) {`,
		new:  `	if l.work != nil && checked.State.Dropped {`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "fill-without-a-record", guarantee: "2: copies belong to the phase of the record in front of them",
		file: "hub/internal/lane/core/phase.go",
		old:  `func (l *Lane) toLive() Step { return l.record(l.tip.State.In(record.Live), WhyPhase) }`,
		new:  "func (l *Lane) toLive() Step {\n	l.tip.State = l.tip.State.In(record.Live)\n	return nil\n}",
		pkg:  "./hub/internal/lane/core", test: "TestRivals",
		noSim: rare,
	},
}
