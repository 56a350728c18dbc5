package main

// databaseMutants are the mechanisms between the SDK and a database, and a hub's
// start.
var databaseMutants = []mutant{
	{
		name: "registry-looked-before", guarantee: "5: a hub without lanes misses no first snapshot",
		file: "hub/hub.go",
		old: `		changed := h.cfg.Registry.Changed()
		if h.cfg.Registry.Snapshot() != nil {
			return nil
		}
`,
		new: `		if h.cfg.Registry.Snapshot() != nil {
			return nil
		}
		changed := h.cfg.Registry.Changed()
`,
		pkg: "./hub", test: "TestRegistryThatComesRightAfterALook",
	},
	{
		name: "begin-once", guarantee: "a transaction begins whatever others broke in the pool",
		file: "database/retry.go",
		old:  `	for range attempts {`,
		new:  `	for range 1 {`,
		pkg:  "./database", test: "TestInTransactionPassesBrokenConnectionsOver",
	},
	{
		name: "outbox-whole-look-forgets", guarantee: "outbox: a transaction held open does not slow the relay down",
		file: "outbox/behind.go",
		old:  `	lowest, _, err := l.shardsBehind(ctx, nil)`,
		new: `	l.forget()
	lowest, _, err := l.shardsBehind(ctx, nil)`,
		pkg: "./outbox", test: "TestScansStayBehindDeletedRows",
	},
	{
		name: "outbox-refusal-forgets", guarantee: "outbox: a transaction held open does not slow the relay down",
		file: "outbox/pass.go",
		old:  `if err != nil && !onlyUnpublished(err) {`,
		new:  `if err != nil {`,
		pkg:  "./outbox", test: "TestScansStayBehindDeletedRows",
	},
	{
		name: "outbox-looks-compiled", guarantee: "outbox: a transaction held open does not slow the relay down",
		file: "outbox/behind.go",
		old:  `l.slow = began.Add(slowFor)`,
		new:  `l.slow = began`,
		pkg:  "./outbox", test: "TestScansAreNotCompiled",
	},
	{
		name: "outbox-delete-by-list", guarantee: "outbox: a transaction held open does not slow the relay down",
		file: "outbox/statements.go",
		old:  `WHERE shard = gone.shard AND id = gone.id LIMIT 1`,
		new:  `WHERE gone.shard >= 0 AND id = gone.id LIMIT 1`,
		pkg:  "./outbox", test: "TestDeletesLookRowsUp",
	},
	{
		name: "outbox-lead-by-index", guarantee: "outbox: a transaction held open does not slow the relay down",
		file: "outbox/statements.go",
		old:  `"SELECT shard FROM %s FORCE INDEX (PRIMARY) ORDER BY id LIMIT "`,
		new:  `"SELECT shard FROM %[1]s FORCE INDEX (%[1]s_shard) ORDER BY shard, id LIMIT "`,
		pkg:  "./outbox", test: "TestScansPassDeletedRowsOverQuickly",
	},
	{
		name: "inbox-locks-by-list", guarantee: "inbox: a batch waits for no row of another key",
		file: "inbox/statements.go",
		old:  `AS r FORCE INDEX (PRIMARY) ON r.entity`,
		new:  `AS r IGNORE INDEX (PRIMARY) ON r.entity`,
		pkg:  "./inbox", test: "TestBatchWaitsForNoOtherKey",
	},
	{
		name: "inbox-deletes-by-list", guarantee: "inbox: a batch waits for no row of another key",
		file: "inbox/tablerows.go",
		old:  `AS r FORCE INDEX (%%[1]s)`,
		new:  `AS r IGNORE INDEX (%%[1]s)`,
		pkg:  "./inbox", test: "TestBatchWaitsForNoOtherKey",
	},
	{
		name: "inbox-counts-undecided", guarantee: "inbox: what was decided counts once",
		file: "inbox/inbox.go",
		old:  `	if regressed(current, r.stamp) {`,
		new: `	if regressed(current, r.stamp) {
		i.stats.regressed.Add(1)`,
		pkg: "./inbox", test: "TestFailedBatchCountsNothing",
	},
	{
		name: "inbox-applied-and-error", guarantee: "inbox: after an error of a batch nothing was applied",
		file: "inbox/guardedpostgres.go",
		old: `	g.explain(ctx, db, lost)
	return true, nil`,
		new: `	if _, err := g.inbox.readRows(ctx, db, lost); err != nil {
		return true, err
	}
	g.explain(ctx, db, lost)
	return true, nil`,
		pkg: "./inbox", test: "TestAppliedBatchIsNoError",
	},
	{
		name: "sqlite-no-turns", guarantee: "inbox: writers of a process take turns on SQLite",
		file: "inbox/writers.go",
		old:  `	if d != database.SQLite {`,
		new:  `	if d >= 0 {`,
		pkg:  "./inbox", test: "TestBatchesOnSQLiteTakeTurns",
	},
	{
		name: "postgres-deletes-first", guarantee: "7: a delete finds what was committed while it waited",
		file: "inbox/guardedpostgres.go",
		old: `	if lost, err = g.upsert(ctx, tx, args); err != nil {
		return nil, err
	}
	g.keepWinners()
`,
		new: `	if _, gone := g.rowsAndGone(); len(gone) > 0 {
		if err := g.table.removeRows(ctx, tx, g.shape, gone); err != nil {
			return nil, err
		}
	}
	if lost, err = g.upsert(ctx, tx, args); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil || len(lost) >= 0 {
		return lost, err
	}
	g.keepWinners()
`,
		pkg: "./inbox", test: "TestDeleteOfARowThatIsCommittedMeanwhile",
	},
}
