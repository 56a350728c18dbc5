// Package outbox publishes events together with a service's own transaction:
// Enqueue writes the event into a table inside that transaction, and a Relay
// publishes the rows that were committed.
//
// What is promised: an event is published if its transaction commits, and never
// otherwise. It is published at least once, under one id, so that a retry within the
// hub's dedupe window is stored once. The events of one (entity, key) are published
// in the order of their commits, with any number of relays. Each event carries a
// version that counts up by key in that order, so that the inbox refuses an old event
// that a paused relay sent after the window. Rows are deleted when they are
// acknowledged: the table is as long as the backlog.
//
// What is not promised: order between keys, or of events without a key, even if one
// transaction enqueued them. Versions do not continue after the table of versions was
// dropped; inboxes would then treat new events as old ones.
//
// # Delay
//
// A commit does not wait for the outbox: there is no NOTIFY, which makes PostgreSQL's
// commits wait for each other. The relay looks for rows every 5 ms when idle, every
// millisecond while there is traffic, and soon after an Enqueue in its own process. A
// look takes the database less than 0.1 ms on PostgreSQL and 0.15 ms on MariaDB: 2 to
// 3 % of a core for each idle relay. If dozens of processes run relays on one outbox,
// give them a longer Poll; events that a process enqueues itself are still published
// as soon.
//
// # Restores
//
// A database that was restored from a backup assigns versions a second time, and
// subscribers would drop its changes as old. A generation above the versions prevents
// that: see [Outbox.NewGeneration] for the restores that a relay notices and for
// those that need a call.
//
// # Snapshots
//
// A row of a snapshot ([replhub.SnapshotFunc]) may contain changes whose events are
// still in the table. Give the row the version of these events; otherwise a replica
// that has the row goes back to an older change for a moment:
//
//	SELECT u.id, u.data, COALESCE((g.generation << 44) + v.version, 0) FROM users u
//	CROSS JOIN replhub_outbox_generation g
//	LEFT JOIN replhub_outbox_versions v ON v.entity = 'user' AND v.entity_key = u.id
//	WHERE u.id > $1 ORDER BY u.id LIMIT 1000
//
// # Poolers
//
// Behind PgBouncer everything works with session pooling. With transaction pooling
// the driver must prepare no statements before PgBouncer 1.21, nor with
// max_prepared_statements = 0 since: in pgx's DSN default_query_exec_mode=exec (or
// simple_protocol). Otherwise Enqueue fails at times, with an error that says so, and
// no event is lost. The relay keeps a connection while a batch is on its way, one for
// each of its Workers. The outbox does not work with statement pooling, which has no
// transactions.
//
// # Transactions that are held open
//
// While any transaction of a PostgreSQL server is held open, the rows that were
// published cannot be vacuumed. The table grows by about 170 bytes, the payload and
// the headers for each event until it ends, and the table of versions by about 100
// for each; vacuum makes the room usable again afterwards. The relay's rate stays:
// its scans begin behind what it has published, at most some seconds of it. A scan of
// all rows since takes about a second for a million. A relay makes a few when it starts
// meanwhile, when a transaction that has written ends after more than a second, and
// after an error of the database; and an idle one spends a hundredth of its time on
// them, as somebody may have written a row by hand.
//
// On MariaDB (its purge waits alike) every look reads the deleted rows again, 0.1 to
// 0.3 µs for each that was published since. Where more rows wait than four batches
// take, each batch of a shard takes some microseconds for each deleted row of that shard:
// once behind, the relay publishes less the longer the transaction is open. Let no
// transaction stay open for hours there.
//
// Measured for an hour beside two open transactions, one of which had enqueued: 400
// events a second were offered to each of a PostgreSQL and a MariaDB that shared two
// cores with other work (load 10 to 27). The relays published all that was enqueued, 344
// to 400 events a second. On PostgreSQL an event left after 5 ms at first and 90 ms at
// the end, on average; the slowest took 7.8 s, at a load of 27; the table grew to 260
// MB. On MariaDB events left after 9 ms at first and 0.4 s at the end; the slowest took
// 4.7 s; the table grew to 214 MB.
//
// # Tables
//
// The tables of Config.Table "replhub_outbox":
//
//	replhub_outbox             rows to publish
//	replhub_outbox_versions    the last version of each (entity, key): grows with keys, not with traffic
//	replhub_outbox_shards      one row a shard, locked by the relay that works on it
//	replhub_outbox_generation  one row: what stands above the versions
//	replhub_outbox_failed      events that can never be published, with the error
//
// On MariaDB, the driver's interpolateParams=true spares Enqueue two round trips
// a statement.
package outbox
