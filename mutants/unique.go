package main

// uniqueMutants are the mechanisms by which events that other rows keep from being
// applied get there.
var uniqueMutants = []mutant{
	{
		name: "child-is-a-failure", guarantee: "8: what waits for another row uses up no attempt",
		file: "meaning.go",
		old:  `		return queue.Waits`,
		new:  `		return queue.Failure`,
		pkg:  ".", test: "TestMeaningOf",
	},
	{
		name: "waits-without-its-row", guarantee: "8: what waits is tried with what is behind it in its row",
		file: "internal/queue/work.go",
		old:  `		share = w.env.cfg.MaxBatch`,
		new:  `		share = 1`,
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: noQueue,
	},
	{
		name: "swap-in-place", guarantee: "7: rows of a batch give up unique values before they get new ones",
		file: "inbox/replicatebatch.go",
		old:  `		if !w.vacate && database.IsUnique(err) {`,
		new:  `		if w.vacate && database.IsUnique(err) {`,
		pkg:  "./inbox", test: "TestUniqueValuesChangeHands",
	},
	{
		name: "swap-alone", guarantee: "7: changes that wait for each other's unique value are applied together",
		file: "inbox/waiting.go",
		old:  `	return found, err`,
		new:  `	return found[:0], err`,
		pkg:  "./inbox", test: "TestUniqueValuesChangeHands",
	},
	{
		name: "swap-of-generated-values", guarantee: "7: values of a unique column that is generated change hands",
		file: "inbox/uniques.go",
		old:  `		u.columns = append(u.columns, t.columnsIn(part.generated)...)`,
		new:  `		u.columns = append(u.columns, part.column)`,
		pkg:  "./inbox", test: "TestUniqueValuesChangeHands",
	},
	{
		name: "migrate-once", guarantee: "database: an instance that finds a new file locked begins all the same",
		file: "database/migrate.go",
		old:  `	err := InTransaction(ctx, db, options, func(tx *sql.Tx) error {`,
		new:  `	err := transact(ctx, db, options, func(tx *sql.Tx) error {`,
		pkg:  "./database", test: "TestMigrateOnALockedFile",
	},
}
