package main

// sdkMutants are the mechanisms of the service SDK.
var sdkMutants = []mutant{
	{
		name: "publish-key-order", guarantee: "publish: events of a key go one at a time",
		file: "turns.go",
		old:  `	if row.key == "" {`,
		new:  `	if row.key == "" || row.key != "" {`,
		pkg:  ".", test: "TestOrderOfAKeyHoldsThroughRetries",
	},
	{
		name: "publish-new-id", guarantee: "publish: a retry is the same event",
		file: "encode.go",
		old:  `	header[wire.HeaderMsgID] = []string{ev.ID}`,
		new:  `	_ = wire.HeaderMsgID`,
		pkg:  ".", test: "TestPublishOfOneIDIsOneEvent|TestPublishSurvivesRestartsOfTheServer",
	},
	{
		name: "batch-goes-on", guarantee: "publish: nothing of a key follows its failure",
		file: "batch.go",
		old:  `return int64(i) > b.first.Load() }`,
		new:  `return int64(i) > b.first.Load()+1000 }`,
		pkg:  ".", test: "TestBatchHoldsWhatFollowsAFailure",
	},
	{
		name: "outbox-two-relays", guarantee: "outbox: one relay at a time on a key",
		file: "outbox/lock.go",
		old:  ` FOR UPDATE SKIP LOCKED`,
		new:  ``,
		pkg:  "./outbox", test: "TestOrderOfAKeyWithManyRelaysAndWriters",
	},
	{
		name: "outbox-deletes-range", guarantee: "outbox: a row that commits late is not lost",
		file: "outbox/dialect.go",
		old:  `id = ANY($1::text::bigint[])`,
		new:  `id <= ANY($1::text::bigint[])`,
		pkg:  "./outbox", test: "TestLateCommitWithALowerID",
	},
	{
		name: "outbox-deletes-unpublished", guarantee: "outbox: only what is acknowledged goes",
		file: "outbox/pass.go",
		old:  `for _, row := range rows[:n] {`,
		new:  `for _, row := range rows {`,
		pkg:  "./outbox", test: "TestPrefixOfABatch",
	},
	{
		name: "inbox-no-guard", guarantee: "7: older changes are skipped",
		file: "inbox/statements.go",
		old:  `ELSE excluded.epoch > r.epoch OR (excluded.epoch = r.epoch AND excluded.seq > r.seq) END`,
		new:  `ELSE TRUE END`,
		pkg:  "./inbox", test: "TestConverges|TestOutcomes",
	},
	{
		name: "inbox-no-versions", guarantee: "7: the publisher's versions come first",
		file: "inbox/statements.go",
		old:  `THEN excluded.version > r.version`,
		new:  `THEN excluded.seq > r.seq`,
		pkg:  "./inbox", test: "TestConverges",
	},
	{
		name: "inbox-commits-failure", guarantee: "7: an effect that failed is not marked as made",
		file: "inbox/do.go",
		old:  `if err != nil || outcome != Applied {`,
		new:  `if outcome != Applied && err == nil {`,
		pkg:  "./inbox", test: "TestFailedEffect",
	},
}
