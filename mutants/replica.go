package main

// replicaMutants are the mechanisms that apply many deliveries at once.
var replicaMutants = []mutant{
	{
		name: "batch-decided-once", guarantee: "7: in a batch too, each change is decided on by what the one before left",
		file: "inbox/fold.go",
		old:  `s.stamp, outcome = i.resolve(s.stamp, r)`,
		new:  `s.stamp, outcome = i.resolve(current, r)`,
		pkg:  "./inbox", test: "TestBatchIsLikeOneByOne",
	},
	{
		name: "batch-race-unseen", guarantee: "7: a row that another transaction has just made is decided on again",
		file: "inbox/replicatebatch.go",
		old:  `if err == nil && made != int64(len(part)) {`,
		new:  `if false && made != int64(len(part)) {`,
		pkg:  "./inbox", test: "TestBatchesAtOnce",
	},
	{
		name: "batch-replaces-others", guarantee: "7: a batch replaces no row of another key",
		file: "inbox/tablerows.go",
		old:  `BINARY %[1]s <=> BINARY VALUES(%[1]s)`,
		new:  `TRUE`,
		pkg:  "./inbox", test: "TestIndexAddedBetweenBatches",
	},
	{
		name: "constraint-deletes-others", guarantee: "7: a constraint of SQLite's table replaces no row of another key",
		file: "inbox/tablerows.go",
		old:  `"INSERT OR ABORT INTO"`,
		new:  `"INSERT INTO"`,
		pkg:  "./inbox", test: "TestConstraintsThatSayWhatBecomesOfARow",
	},
}
