package main

// otherKeysMutants are the mechanisms by which statements leave the rows of other keys
// unlocked.
var otherKeysMutants = []mutant{
	{
		name: "purge-waits", guarantee: "inbox: Purge waits for no other transaction",
		file: "inbox/purge.go",
		old:  `			lock: keysStatement(d, table, " FOR UPDATE SKIP LOCKED"),`,
		new:  `			lock: keysStatement(d, table, " FOR UPDATE"),`,
		pkg:  "./inbox", test: "TestPurgeWaitsForNobody",
	},
	{
		name: "expire-by-a-scan", guarantee: "inbox: what no longer waits is removed by its key",
		file: "inbox/waiting.go",
		old:  `WHERE target = %s AND entity = %s AND entity_key = %s AND kept_at < %s", table, p(1), p(2), p(3), p(4)),`,
		new:  `WHERE (target = %s OR entity = %s OR entity_key = %s) AND kept_at < %s", table, p(1), p(2), p(3), p(4)),`,
		pkg:  "./inbox", test: "TestPurgeWaitsForNobody",
	},
	{
		name: "effects-lock-gaps", guarantee: "inbox: on MariaDB the effect on a row that does not exist locks no gap",
		file: "inbox/do.go",
		old:  `	if i.cfg.Dialect == database.MariaDB {`,
		new:  `	if i.cfg.Dialect == database.Postgres {`,
		pkg:  "./inbox", test: "TestOtherKeysDoNotWait",
	},
	{
		name: "requeue-waits", guarantee: "outbox: Requeue waits for no other transaction",
		file: "outbox/requeue.go",
		old:  `readIDs(ctx, db, fmt.Sprintf("SELECT id FROM %s_failed WHERE id > %d AND id <= %d ORDER BY id LIMIT %d", o.cfg.Table, last, end[0], requeuePiece))`,
		new:  `readIDs(ctx, db, fmt.Sprintf("SELECT id FROM %s_failed WHERE id > %d AND id <= %d ORDER BY id LIMIT %d FOR UPDATE", o.cfg.Table, last, end[0], requeuePiece))`,
		pkg:  "./outbox", test: "TestRequeueWaitsForNobody",
	},
}
