package main

// classesMutants are rows of the tables that give databases' errors their classes.
var classesMutants = []mutant{
	{
		name: "class-of-a-pooler", guarantee: "8: a pooler's mix-up of statements is tried again",
		file: "database/errors_tables.go",
		old:  `"42P05": Conflict,`,
		new:  `"42P05": Unknown,`,
		pkg:  "./database", test: "TestClassifyPostgres$",
	},
	{
		name: "class-of-a-cascade", guarantee: "8: a value that another row has may be free later",
		file: "database/errors_tables.go",
		old:  `1062, 1761,`,
		new:  `1062,`,
		pkg:  "./database", test: "TestClassifyMariaDB$",
	},
	{
		name: "outage-told-each-time", guarantee: "8: an outage is told once at each end",
		file: "internal/queue/outage.go",
		old:  `if !o.told && !o.env.closed {`,
		new:  `if !o.env.closed {`,
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: noQueue,
	},
}
