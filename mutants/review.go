package main

// reviewMutants are about what a reading of the code found.
var reviewMutants = []mutant{
	{
		name: "fence-against-the-owner", guarantee: "5: a trim fences lanes that are busy",
		file: "hub/lowest.go",
		old:  "return tip.State, tip.Last <= before.Last, nil",
		new:  "return tip.State, tip.Last > 0 || before.Last > 0, nil",
		pkg:  "./hub", test: "TestTrimFencesBusyLanesOfAnotherHub",
	},
	{
		name: "migrate-takes-a-strangers-table", guarantee: "3: two services with schemas of their own share no table",
		file: "database/migrate.go",
		old:  "attrelid = to_regclass(CASE WHEN $2::text IS NULL THEN quote_ident(current_schema()) || '.' ELSE '' END || $1::text)",
		new:  "attrelid = to_regclass(CASE WHEN $2::text IS NULL THEN '' ELSE '' END || $1::text)",
		pkg:  "./inbox", test: "TestMigrateInASchemaOfItsOwn",
	},
	{
		name: "requeue-goes-round", guarantee: "4: each event that was set aside is requeued once",
		file: "outbox/requeue.go",
		old:  " AND id <= %d ORDER BY id",
		new:  " AND %d >= 0 ORDER BY id",
		pkg:  "./outbox", test: "TestRequeueEndsWhereEventsFailAgain",
	},
	{
		name: "whole-row-doubted", guarantee: "2: a newer event does not begin before an older one of its key that met a conflict",
		file: "internal/queue/scheduler.go",
		old:  "		if next.state == jobRunning {\n			next.doubted = true",
		new:  "		if next != nil {\n			next.doubted = true",
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: "a conflict in a row of which an older event was given back is rare",
	},
}
