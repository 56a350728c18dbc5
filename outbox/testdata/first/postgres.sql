CREATE TABLE IF NOT EXISTS replhub_outbox (id bigserial PRIMARY KEY, shard integer NOT NULL, entity text NOT NULL, op text NOT NULL, entity_key text NOT NULL,
	version bigint NOT NULL, event_id text NOT NULL, content_type text NOT NULL, header text NOT NULL,
	payload bytea NOT NULL, enqueued_at bigint NOT NULL)
	WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);

CREATE INDEX IF NOT EXISTS replhub_outbox_shard ON replhub_outbox (shard, id);

CREATE TABLE IF NOT EXISTS replhub_outbox_versions (entity text NOT NULL, entity_key text NOT NULL, version bigint NOT NULL,
	PRIMARY KEY (entity, entity_key)) WITH (fillfactor = 80);

CREATE TABLE IF NOT EXISTS replhub_outbox_shards (shard integer PRIMARY KEY);

CREATE TABLE IF NOT EXISTS replhub_outbox_failed (id bigint PRIMARY KEY, shard integer NOT NULL, entity text NOT NULL, op text NOT NULL, entity_key text NOT NULL,
	version bigint NOT NULL, event_id text NOT NULL, content_type text NOT NULL, header text NOT NULL,
	payload bytea NOT NULL, enqueued_at bigint NOT NULL, failed_at bigint NOT NULL, error text NOT NULL);

INSERT INTO replhub_outbox_shards (shard) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15) ON CONFLICT DO NOTHING;
