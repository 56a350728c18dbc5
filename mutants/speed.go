package main

// speedMutants are the mechanisms by which batches take few statements.
var speedMutants = []mutant{
	{
		name: "guard-passed-over", guarantee: "7: in a batch that the database decides on, what lost is not written",
		file: "inbox/guardedpostgres.go",
		old:  ` AND (v.entity_key IN (SELECT entity_key FROM guard)) IS TRUE`,
		new:  ` AND (SELECT count(*) FROM guard) >= 0`,
		pkg:  "./inbox", test: "TestUsualBatchIsLikeOneByOne",
	},
	{
		name: "guard-uncounted", guarantee: "7: in a batch that SQLite decides on, what lost is not written",
		file: "inbox/guardedsqlite.go",
		old:  `	if written < len(g.slots) {`,
		new:  `	if written < 0 {`,
		pkg:  "./inbox", test: "TestUsualBatchIsLikeOneByOne",
	},
	{
		name: "literal-in-bytes", guarantee: "7: a value in a statement's text is the value that an argument is",
		file: "inbox/literal.go",
		old:  `"_utf8mb4 "`,
		new:  `""`,
		pkg:  "./inbox", test: "TestTypesInBatches",
	},
	{
		name: "outbox-failure-holds-all", guarantee: "outbox: an event that fails for ever holds up its own shard alone",
		file: "outbox/pass.go",
		old:  `	case many || r.failed:`,
		new:  `	case many:`,
		pkg:  "./outbox", test: "TestFailingEventHoldsItsShardAlone",
	},
}
