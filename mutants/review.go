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
		file: "internal/queue/work.go",
		old:  "		if next.state == jobRunning {\n			next.doubted = true",
		new:  "		if next != nil {\n			next.doubted = true",
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: "a conflict in a row of which an older event was given back is rare",
	},
	{
		name: "unfenced-lane-holds-all", guarantee: "4: a lane that cannot be written does not hold every trim",
		file: "hub/internal/ingest/retention/fence.go",
		old:  "if lost > 0 && len(unfenced) > 0 {",
		new:  "if lost > 0 || len(unfenced) > 0 {",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: "it endangers no event",
	},
	{
		name: "older-ledger-remembered", guarantee: "3: a hub does not go back to a ledger that it read before another",
		file: "hub/internal/ingest/retention/recall.go",
		old:  "cmp.Compare(l.Current().Epoch, known.Current().Epoch),",
		new:  "0,",
		pkg:  "./hub/internal/ingest/retention", test: "TestReplaces",
		noSim: rare,
	},
	{
		name: "deaf-to-the-end-of-a-queue", guarantee: "8: an outage ends with its work queues",
		file: "internal/queue/window.go",
		old:  "	s.listen()\n",
		new:  "",
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: noQueue,
	},
}
