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
// transaction enqueued them. If the table of versions is dropped, versions begin again,
// and inboxes treat new events as old ones.
//
// # Delay
//
// A commit does not wait for the outbox. The outbox does not use NOTIFY, which makes
// PostgreSQL's commits wait for each other. The relay looks for rows every 5 ms when
// idle, every millisecond while there is traffic, and soon after an Enqueue in its own
// process. A look takes the database less than 0.1 ms on PostgreSQL and 0.15 ms on
// MariaDB: 2 to 3 % of a core for each idle relay. If dozens of processes run relays on
// one outbox, give them a longer Poll. A relay publishes the events of its own process
// without that delay.
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
// Behind PgBouncer with session pooling, everything works. With transaction pooling,
// the driver must not prepare statements if PgBouncer is older than 1.21, or has
// max_prepared_statements = 0. In the DSN of pgx, set default_query_exec_mode=exec (or
// simple_protocol). Otherwise Enqueue fails at times, with an error that says so, and
// no event is lost. The relay keeps a connection while it publishes a batch, one for
// each of its Workers. The outbox does not work with statement pooling, which has no
// transactions.
//
// # Transactions that are held open
//
// While any transaction of a PostgreSQL server is held open, vacuum cannot remove the
// published rows. Until that transaction ends, each event adds about 170 bytes, its
// payload and its headers to the table, and about 100 bytes to the table of versions.
// Afterwards vacuum makes the space usable again.
//
// The rate of a relay on PostgreSQL does not drop, because its scans skip the published
// rows, except those of the last seconds. Some scans read all rows that were published
// since the transaction began, about a second for a million rows. A relay makes a few
// such scans when it starts, when a transaction that has written ends after more than a
// second, and after an error of the database. An idle relay makes such a scan at most
// once a minute, and spends at most a hundredth of its time on them, because somebody
// may have written a row by hand.
//
// On MariaDB, purge also waits for the open transaction. Every look reads the deleted
// rows again, 0.1 to 0.3 µs for each row that was published since the transaction
// began. If more rows wait than four batches take, each batch of a shard costs some
// microseconds for each deleted row of that shard. A relay that has fallen behind
// therefore publishes less the longer the transaction is open. Do not keep transactions
// open for hours on MariaDB.
//
// A measurement took an hour beside two open transactions, one of which had enqueued.
// 400 events a second were offered to a PostgreSQL and to a MariaDB, which shared two
// cores with other work (load 10 to 27). The relays published all enqueued events, 344
// to 400 a second:
//
//	            average delay at first, at the end  slowest event  size of the table
//	PostgreSQL  5 ms, 90 ms                         7.8 s          260 MB
//	MariaDB     9 ms, 0.4 s                         4.7 s          214 MB
//
// # Tables
//
// The tables of Config.Table "replhub_outbox":
//
//	replhub_outbox             rows to publish
//	replhub_outbox_versions    the last version of each (entity, key): grows with keys, not with traffic
//	replhub_outbox_shards      one row a shard, locked by the relay that works on it
//	replhub_outbox_generation  one row: the generation, which is the high part of each version
//	replhub_outbox_failed      events that can never be published, with the error
//
// On MariaDB, interpolateParams=true of the driver saves Enqueue two round trips for
// each statement.
package outbox
