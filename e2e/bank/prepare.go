package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that open uses

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/outbox"
)

// sourceTables are the bank's. Slots are the keys, an account there or not: their
// locks put the changes of a key in one order, and count them. Changes is the
// history that the audit goes by.
const sourceTables = `
CREATE TABLE slots (id text PRIMARY KEY, changes bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE accounts (id text PRIMARY KEY, name text NOT NULL, city text NOT NULL, balance bigint NOT NULL, change bigint NOT NULL) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE changes (event_id text NOT NULL, key text NOT NULL, n bigint NOT NULL, op text NOT NULL)`

// replicaTables are a service's. Nothing keeps an effect from being noted twice:
// that is what the audit looks for. Handlings are what the handlers of all its
// instances did, where that is not noted in files.
const replicaTables = `
CREATE UNLOGGED TABLE effects (n bigserial, event_id text NOT NULL, key text NOT NULL, epoch bigint NOT NULL, seq bigint NOT NULL);
CREATE UNLOGGED TABLE handlings (n bigserial PRIMARY KEY, instance text NOT NULL, partition int NOT NULL, key text NOT NULL,
	epoch bigint NOT NULL, seq bigint NOT NULL, begun timestamptz NOT NULL DEFAULT clock_timestamp(), ended timestamptz, outcome text) WITH (fillfactor = 50);
CREATE INDEX ON handlings (partition, n)`

// replicas are the services' tables, each with the row that the audit compares.
// That of cards is written by the inbox, and a trigger notes the effects.
func replicas() map[string]string {
	return map[string]string{
		"ledger": `CREATE TABLE replica (id text PRIMARY KEY, row text NOT NULL) WITH (fillfactor = 50)`,
		"cards": `CREATE TABLE replica (id text COLLATE "C" PRIMARY KEY, change bigint, event text, city text, name text, balance bigint, pin text,
			row text GENERATED ALWAYS AS ('change ' || change::text || ', city ' || city ||
				CASE WHEN name IS NULL AND balance IS NULL AND pin IS NULL THEN '' ELSE ', and what was not asked for' END) STORED) WITH (fillfactor = 50);
			CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN INSERT INTO effects (event_id, key, epoch, seq) VALUES (NEW.event, NEW.id, 0, 0); RETURN NEW; END $$;
			CREATE TRIGGER note AFTER INSERT OR UPDATE ON replica FOR EACH ROW EXECUTE FUNCTION note()`,
	}
}

// prepare makes the tables of the source and of the replicas.
func prepare(ctx context.Context, s settings, _ *slog.Logger) error {
	if err := prepareSource(ctx, s); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	for _, of := range s.replicas {
		service, dsn, _ := strings.Cut(of, "=")
		if err := prepareReplica(ctx, service, dsn); err != nil {
			return fmt.Errorf("replica of %s: %w", service, err)
		}
	}
	return nil
}

func prepareSource(ctx context.Context, s settings) (err error) {
	db, err := open(s.db, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	box, err := newOutbox()
	if err != nil {
		return err
	}
	if err := box.Migrate(ctx, db); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, sourceTables); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO slots SELECT 'k' || n, 0 FROM generate_series(0, $1::int - 1) n`, s.keys)
	return err
}

func prepareReplica(ctx context.Context, service, dsn string) (err error) {
	db, err := open(dsn, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	in, err := newInbox()
	if err != nil {
		return err
	}
	if err := in.Migrate(ctx, db); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, replicaTables+";"+replicas()[service])
	return err
}

func newOutbox() (*outbox.Outbox, error) {
	return outbox.New(outbox.Config{Dialect: database.Postgres})
}

func newInbox() (*inbox.Inbox, error) { return inbox.New(inbox.Config{}) }

// open opens a database with a bounded number of connections, which it keeps.
func open(dsn string, connections int) (*sql.DB, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}
