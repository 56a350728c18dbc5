package main

// outboxMutants are the mechanisms between a publisher's database and ingest.
var outboxMutants = []mutant{
	{
		name: "outbox-no-hint", guarantee: "outbox: the relay looks soon after an Enqueue",
		file: "outbox/enqueue.go",
		old:  `	o.audience.expect()`,
		new:  ``,
		pkg:  "./outbox", test: "TestRelayIsWoken",
	},
	{
		name: "outbox-commits-conflict", guarantee: "outbox: no commit of what the server rolled back",
		file: "database/abandon.go",
		old:  `	if !ok {`,
		new:  `	if ok || !ok {`,
		pkg:  "./outbox", test: "TestChangedSinceTheSnapshot",
	},
	{
		name: "outbox-without-transaction", guarantee: "outbox: no event outside of a transaction",
		file: "outbox/statements.go",
		old:  ` AND (@@in_transaction = 1 OR @@autocommit = 0)`,
		new:  ``,
		pkg:  "./outbox", test: "TestEnqueueAfterAFailureOfTheCallers",
	},
	{
		name: "transaction-once", guarantee: "a transaction that met a conflict is run again",
		file: "database/retry.go",
		old:  `!conflict(err) || ctx.Err() != nil`,
		new:  `ctx.Err() == nil`,
		pkg:  "./database", test: "TestRetry",
	},
	{
		name: "outbox-no-generation", guarantee: "outbox: versions after a restore are greater",
		file: "outbox/generation.go",
		old:  `generation<<counterBits | count`,
		new:  `generation&0 | count`,
		pkg:  "./outbox", test: "TestNewGeneration",
	},
	{
		name: "outbox-restore-unnoticed", guarantee: "outbox: a restore begins a generation",
		file: "outbox/generation.go",
		old:  `p.here != "" && p.here != p.recorded`,
		new:  `p.here != "" && p.recorded == ""`,
		pkg:  "./outbox", test: "TestRestoredDumpIsNoticed",
	},
	{
		name: "outbox-rekey-keeps", guarantee: "outbox: a changed key leaves no second row",
		file: "outbox/rekey.go",
		old:  `	if err := o.Enqueue(ctx, tx, gone); err != nil {`,
		new:  `	if err := error(nil); err != nil {`,
		pkg:  "./outbox", test: "TestRekey",
	},
	{
		name: "publish-all-goes-on", guarantee: "publish: nothing of a key follows its failure",
		file: "fast_batch.go",
		old:  `".fail."`,
		new:  `".ok."`,
		pkg:  ".", test: "TestPublishAllEndsAtARefusal",
	},
	{
		name: "outbox-horizon-trusts", guarantee: "outbox: a row that commits late is not passed over",
		file: "outbox/horizon.go",
		old:  `	open := s.still(h.next.open)`,
		new:  `	open := s.still(nil)`,
		pkg:  "./outbox", test: "TestHorizonHidesNothing|TestTransactionThatIsHeldOpen",
	},
	{
		name: "outbox-reads-the-table", guarantee: "outbox: a row that is not committed holds up nobody",
		file: "outbox/statements.go",
		old:  `s.deleteRows = func(gone []row) (string, []any) { return deleteFromMariaDB(`,
		new:  `_ = func(gone []row) (string, []any) { return deleteFromMariaDB(`,
		pkg:  "./outbox", test: "TestRowThatIsNotCommittedHoldsUpNobody",
	},
}
