// Package outbox publishes events together with a service's own transaction:
// Enqueue writes the event into a table inside that transaction, and a Relay
// publishes the rows that were committed.
//
// What is promised: an event leaves if its transaction commits, never
// otherwise; it leaves at least once, under one id, so that a retry within the
// hub's dedupe window is stored once; the events of one (entity, key) leave in
// the order of their commits, with any number of relays; and each carries a
// version that counts up by key in that order, so that the inbox refuses an old
// event that a paused relay sent after the window. Rows are deleted as they are
// acknowledged: the table is as long as the backlog.
//
// What is not promised: order between keys, or of events without a key; and
// versions that go on once the table of versions was dropped, as inboxes
// would then take new events for old ones.
//
// A row of a snapshot ([replhub.SnapshotFunc]) may contain changes whose events
// are still in the table. Give it the version that they have, or a replica that
// has the row goes back to an older one of them for a moment:
//
//	SELECT u.id, u.data, COALESCE(v.version, 0) FROM users u
//	LEFT JOIN replhub_outbox_versions v ON v.entity = 'user' AND v.entity_key = u.id
//	WHERE u.id > $1 ORDER BY u.id LIMIT 1000
//
// On MariaDB, the driver's interpolateParams=true spares Enqueue two round trips
// a statement.
//
// The tables of Config.Table "replhub_outbox":
//
//	replhub_outbox           rows to publish
//	replhub_outbox_versions  the last version of each (entity, key): grows with keys, not with traffic
//	replhub_outbox_shards    one row a shard, locked by the relay that works on it
//	replhub_outbox_failed    events that can never be published, with the error
package outbox
