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
}
