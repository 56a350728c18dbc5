CREATE TABLE IF NOT EXISTS replhub_outbox (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, shard INT NOT NULL, entity VARBINARY(63) NOT NULL, op VARBINARY(16) NOT NULL, entity_key VARBINARY(1024) NOT NULL,
	version BIGINT NOT NULL, event_id VARBINARY(1024) NOT NULL, content_type VARBINARY(1024) NOT NULL,
	header LONGBLOB NOT NULL, payload LONGBLOB NOT NULL, enqueued_at BIGINT NOT NULL,
	INDEX replhub_outbox_shard (shard, id)) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS replhub_outbox_versions (entity VARBINARY(63) NOT NULL, entity_key VARBINARY(1024) NOT NULL,
	version BIGINT NOT NULL, PRIMARY KEY (entity, entity_key)) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS replhub_outbox_shards (shard INT NOT NULL PRIMARY KEY) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS replhub_outbox_failed (id BIGINT NOT NULL PRIMARY KEY, shard INT NOT NULL, entity VARBINARY(63) NOT NULL, op VARBINARY(16) NOT NULL, entity_key VARBINARY(1024) NOT NULL,
	version BIGINT NOT NULL, event_id VARBINARY(1024) NOT NULL, content_type VARBINARY(1024) NOT NULL,
	header LONGBLOB NOT NULL, payload LONGBLOB NOT NULL, enqueued_at BIGINT NOT NULL,
	failed_at BIGINT NOT NULL, error LONGTEXT CHARACTER SET utf8mb4 NOT NULL) ENGINE = InnoDB;

INSERT IGNORE INTO replhub_outbox_shards (shard) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15);
