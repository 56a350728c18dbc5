CREATE TABLE IF NOT EXISTS `replhub_inbox` (
	entity varchar(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
	entity_key varbinary(1024) NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	origin varchar(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
	version bigint NOT NULL,
	event_at bigint NOT NULL,
	deleted boolean NOT NULL,
	applied_at bigint NOT NULL,
	PRIMARY KEY (entity, entity_key)
) ENGINE = InnoDB;
