CREATE TABLE IF NOT EXISTS replhub_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, shard INTEGER NOT NULL, entity TEXT NOT NULL, op TEXT NOT NULL, entity_key TEXT NOT NULL,
	version INTEGER NOT NULL, event_id TEXT NOT NULL, content_type TEXT NOT NULL, header TEXT NOT NULL,
	payload BLOB NOT NULL, enqueued_at INTEGER NOT NULL);

CREATE INDEX IF NOT EXISTS replhub_outbox_shard ON replhub_outbox (shard, id);

CREATE TABLE IF NOT EXISTS replhub_outbox_versions (entity TEXT NOT NULL, entity_key TEXT NOT NULL, version INTEGER NOT NULL,
	PRIMARY KEY (entity, entity_key)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS replhub_outbox_shards (shard INTEGER PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', held_until INTEGER NOT NULL DEFAULT 0);

CREATE TABLE IF NOT EXISTS replhub_outbox_failed (id INTEGER PRIMARY KEY, shard INTEGER NOT NULL, entity TEXT NOT NULL, op TEXT NOT NULL, entity_key TEXT NOT NULL,
	version INTEGER NOT NULL, event_id TEXT NOT NULL, content_type TEXT NOT NULL, header TEXT NOT NULL,
	payload BLOB NOT NULL, enqueued_at INTEGER NOT NULL, failed_at INTEGER NOT NULL, error TEXT NOT NULL);

INSERT INTO replhub_outbox_shards (shard) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15) ON CONFLICT DO NOTHING;
