package main

// migrateMutants are the mechanisms by which tables of an older version become those of
// this one.
var migrateMutants = []mutant{
	{
		name: "migrate-adds-no-column", guarantee: "database: a newer version's columns are added to tables that are there",
		file: "database/migrate.go",
		old:  `		if !contains(columns, column.name) {`,
		new:  `		if contains(columns, "none") {`,
		pkg:  "./database", test: "TestMigrateAddsColumns",
	},
	{
		name: "migrate-locks-tables", guarantee: "database: with nothing missing, Migrate waits for no transaction",
		file: "database/migrate.go",
		old:  `			case contains(indexes, index.name):`,
		new:  `			case contains(indexes, ""):`,
		pkg:  "./outbox", test: "TestMigrateWaitsForNobody",
	},
}
