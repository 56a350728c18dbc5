CREATE TABLE IF NOT EXISTS "replhub_inbox" (
	entity text NOT NULL,
	entity_key blob NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	origin text NOT NULL,
	version bigint NOT NULL,
	event_at bigint NOT NULL,
	deleted boolean NOT NULL,
	applied_at bigint NOT NULL,
	PRIMARY KEY (entity, entity_key)
) WITHOUT ROWID;
