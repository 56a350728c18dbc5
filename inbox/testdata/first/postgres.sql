CREATE TABLE IF NOT EXISTS "replhub_inbox" (
	entity text COLLATE "C" NOT NULL,
	entity_key bytea NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	origin text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	event_at bigint NOT NULL,
	deleted boolean NOT NULL,
	applied_at bigint NOT NULL,
	PRIMARY KEY (entity, entity_key)
) WITH (fillfactor = 80);
