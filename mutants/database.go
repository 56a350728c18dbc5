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
}
